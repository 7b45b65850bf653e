#include "actors/compute/served_walreceiver.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <variant>

#include "pg/wire/frames.hpp"
#include "pg/wire/replication_messages.hpp"

namespace strata::actors::compute {
namespace {

namespace wire = pg::wire;

constexpr std::size_t piece_max = 128u << 10;
constexpr std::string_view history_command = "TIMELINE_HISTORY ";

void complete(std::string_view tag, core::bytes& output) {
  wire::append_command_complete(output, tag);
  wire::append_ready_for_query(output);
}

}  // namespace

void refuse_command(const core::error& why, core::bytes& output) {
  wire::append_error(output, wire::sqlstate_of(why.code), why.detail);
  wire::append_ready_for_query(output);
}

std::string served_walreceiver::server_version() const { return std::to_string(static_cast<int>(of_.major)) + ".0"; }

bool served_walreceiver::answer(std::string_view query, core::lsn head, core::bytes& output) {
  // No command of a safekeeper, which parse_wal_command() is for.
  if (query.starts_with(history_command)) {
    show_history(query.substr(history_command.size()), output);
    return false;
  }
  const auto command = wire::parse_wal_command(query);
  if (command && std::holds_alternative<wire::start_wal_stream>(*command))
    return start(std::get<wire::start_wal_stream>(*command), output);
  if (!command)
    refuse_command(command.error(), output);
  else if (std::holds_alternative<wire::set_nothing>(*command))
    complete("SET", output);
  else if (std::holds_alternative<wire::identify_system>(*command))
    identify(head, output);
  else
    refuse_command({core::errc::unsupported, "the WAL of a standby is for the walreceiver of its Postgres"}, output);
  return false;
}

bool served_walreceiver::start(const wire::start_wal_stream& of, core::bytes& output) {
  if (of.timeline != of_.timeline || of.from < of_.view->begin()) {
    refuse_command(
        {core::errc::out_of_range, "the standby begins at " + core::to_string(of_.view->record()) + " of timeline " +
                                       std::to_string(of_.timeline) + "; requested: " + core::to_string(of.from) +
                                       " of timeline " + std::to_string(of.timeline)},
        output);
    return false;
  }
  wire::append_copy_both_response(output);
  next_ = of.from;
  return true;
}

void served_walreceiver::identify(core::lsn head, core::bytes& output) const {
  constexpr std::array<std::string_view, 4> columns{"systemid", "timeline", "xlogpos", "dbname"};
  const std::string system_id = std::to_string(of_.system_id);
  const std::string timeline = std::to_string(of_.timeline);
  const std::string position = core::to_string(std::max(head, of_.view->record()));
  const std::array<wire::column_value, 4> values{system_id, timeline, position, std::nullopt};
  wire::append_row_description(output, columns);
  wire::append_data_row(output, values);
  complete("IDENTIFY_SYSTEM", output);
}

/// Nothing before the start of the standby concerns it, so the timeline has no ancestors.
void served_walreceiver::show_history(std::string_view number, core::bytes& output) {
  std::uint32_t timeline = 0;
  std::from_chars(number.data(), number.data() + number.size(), timeline);
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "%08X.history", timeline);
  constexpr std::array<std::string_view, 2> columns{"filename", "content"};
  const std::array<wire::column_value, 2> values{std::string_view(name.data()), std::string_view("")};
  wire::append_row_description(output, columns);
  wire::append_data_row(output, values);
  complete("TIMELINE_HISTORY", output);
}

bool served_walreceiver::put_own(const moment& at, core::bytes& output) {
  // The last page waits for the stream: a reader takes what it finds after a page header for a record.
  const core::lsn record = of_.view->record();
  const core::lsn last_page = record - record.value % pg::wal_page_size;
  if (next_ >= last_page) return false;
  put(of_.view->read(next_, std::min<std::size_t>(piece_max, last_page - next_)), at, output);
  return true;
}

bool served_walreceiver::put_wal(core::lsn begin, core::bytes_view wal, const moment& at, core::bytes& output) {
  const core::lsn end = begin + wal.size();
  if (end <= next_) return false;
  if (next_ >= begin) {
    put(wal.last(end - next_), at, output);
    return true;
  }
  core::bytes whole = of_.view->read(next_, pg::wal_page_size);
  core::append(whole, wal);
  put(whole, at, output);
  return true;
}

void served_walreceiver::put(core::bytes_view wal, const moment& at, core::bytes& output) {
  wire::append_wal_data_header(output, next_, std::max(at.head, next_ + wal.size()), pg::timestamp_of(at.now),
                               wal.size());
  core::append(output, wal);
  next_ = next_ + wal.size();
}

void served_walreceiver::put_keepalive(bool reply_requested, const moment& at, core::bytes& output) const {
  wire::append_keepalive(output, std::max(at.head, next_), pg::timestamp_of(at.now), reply_requested);
}

core::result<bool> served_walreceiver::take(core::bytes_view payload, core::monotonic_time now) {
  STRATA_ASSIGN(const auto message, wire::parse_client_message(payload));
  const auto* positions = std::get_if<wire::standby_status>(&message);
  if (positions == nullptr) return false;
  received_ = positions->flushed;
  replayed_ = positions->applied;
  replayed_at_ = now;
  return positions->reply_requested;
}

}  // namespace strata::actors::compute
