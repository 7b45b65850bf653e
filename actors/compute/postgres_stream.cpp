#include "actors/compute/postgres_stream.hpp"

#include <utility>

namespace strata::actors::compute {
namespace {

namespace client = pg::client;

/// A walsender never sends more in one message.
constexpr std::size_t copy_size_max = std::size_t{128} << 10;
constexpr int events_per_turn = 64;

}  // namespace

void postgres_stream::adopt(client::replication_connection connection) {
  connecting_ = false;
  link_.adopt(std::move(connection));
  report_due_ = undrained_ = false;
}

core::result<postgres_stream::stop> postgres_stream::take_in(const runtime::socket_owner& owner) {
  STRATA_ASSIGN(const stop stopped, take_events(owner));
  waits_for_room_ = stopped == stop::window_full;
  return stopped;
}

core::result<postgres_stream::stop> postgres_stream::take_events(const runtime::socket_owner& owner) {
  auto& connection = link_.connection();
  if (into_.room() < copy_size_max) return stop::window_full;
  // Input that was read and not yet received comes first: libpq would buffer it all.
  if (!std::exchange(undrained_, true)) STRATA_TRY(connection.step());
  for (int handled = 0; handled < events_per_turn; ++handled) {
    if (into_.room() < copy_size_max) return stop::window_full;
    STRATA_ASSIGN(const auto event, connection.receive());
    if (event) {
      STRATA_TRY(on(*event));
      continue;
    }
    undrained_ = false;
    if (report_due_) STRATA_TRY(report(flushed_, applied_));
    STRATA_TRY(link_.arm(owner));
    return stop::used_up;
  }
  return stop::turn_over;
}

core::result<void> postgres_stream::on(const client::replication_event& event) {
  auto& connection = link_.connection();
  if (const auto* wal = std::get_if<client::wal_data>(&event)) {
    if (wal->start != into_.end())
      return core::error{core::errc::corrupt, "Postgres sent WAL at " + core::to_string(wal->start) + " where " +
                                                  core::to_string(into_.end()) + " was expected"};
    if (wal->bytes.size() > into_.room())
      return core::error{core::errc::corrupt, "Postgres sent a longer WAL message than it may"};
    into_.append(wal->bytes);
    return {};
  }
  if (const auto* alive = std::get_if<client::keepalive>(&event)) {
    if (alive->reply_requested) report_due_ = true;
    return {};
  }
  if (std::holds_alternative<client::connected>(event)) return connection.create_physical_slot(standby_name);
  if (std::holds_alternative<client::slot_created>(event))
    return connection.start_replication(standby_name, into_.end());
  if (std::holds_alternative<client::streaming_ended>(event))
    return core::error{core::errc::unavailable, "Postgres has ended the stream"};
  return {};
}

core::result<void> postgres_stream::report(core::lsn flushed, core::lsn applied) {
  flushed_ = flushed;
  applied_ = applied;
  if (!streaming()) return {};
  auto sent = link_.connection().send_status(into_.end(), flushed, applied);
  // The walsender reads its replies whenever it wakes up: a full socket means that it has many of ours already.
  report_due_ = !sent && sent.error().code == core::errc::busy;
  if (report_due_) return {};
  return sent;
}

}  // namespace strata::actors::compute
