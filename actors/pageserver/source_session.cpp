#include "actors/pageserver/source_session.hpp"

#include <algorithm>
#include <charconv>

#include "pg/wal/stream_decoder.hpp"

namespace strata::actors::pageserver {

namespace client = pg::client;

namespace {

/// As SHOW writes it: "16MB", "1GB".
core::result<std::uint32_t> parse_size(const std::string& text) {
  std::uint32_t number = 0;
  const auto [unit, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view name(unit, static_cast<std::size_t>(text.data() + text.size() - unit));
  const std::uint32_t factor = name == "GB" ? 1u << 30 : name == "MB" ? 1u << 20 : 0;
  const std::uint64_t size = std::uint64_t{number} * factor;
  if (failure != std::errc() || size == 0 || size > 1u << 30 || (size & (size - 1)) != 0)
    return core::error{core::errc::unsupported,
                       "follow source: wal_segment_size \"" + text + "\" is not a size Postgres has"};
  return static_cast<std::uint32_t>(size);
}

}  // namespace

core::result<session_command> source_session::on(const client::replication_event& event) {
  if (const auto* e = std::get_if<client::connected>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::system_identified>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::setting_shown>(&event)) return after(*e);
  if (std::holds_alternative<client::slot_created>(event)) return after_slot();
  if (const auto* e = std::get_if<client::backup_started>(&event)) {
    backup_start_ = e->start;
    return session_command(wait_for_event{});
  }
  if (std::holds_alternative<client::backup_finished>(event))
    return session_command(
        send_start_replication{pg::wal::after_header(backup_start_, wal_segment_size_), source_timeline_});
  return session_command(wait_for_event{});
}

core::result<session_command> source_session::after(const client::connected& event) const {
  if (event.in_recovery && goal_.wanted != session_goal::kind::follow)
    return core::error{
        core::errc::unsupported,
        "follow source: it is a standby; name its primary in --conninfo, a branch needs the primary's slots"};
  return session_command(send_identify_system{});
}

core::result<session_command> source_session::after(const client::system_identified& event) {
  const bool follows = goal_.wanted == session_goal::kind::follow;
  // A safekeeper that was not told yet says 0.
  const bool differs = goal_.system_id != 0 && event.system_id != 0 && goal_.system_id != event.system_id;
  if (differs && follows)
    return core::error{core::errc::conflict, "follow a safekeeper: it has WAL of another cluster (system identifier " +
                                                 std::to_string(event.system_id) + ") than the timeline's (" +
                                                 std::to_string(goal_.system_id) + ")"};
  if (differs)
    return core::error{core::errc::conflict,
                       "follow source: it is another cluster (system identifier " + std::to_string(event.system_id) +
                           ") than the one that was imported (" + std::to_string(goal_.system_id) +
                           "); add it as a new source with: strata source add NAME --conninfo URI"};
  system_id_ = event.system_id;
  source_timeline_ = event.timeline;
  source_head_ = event.flushed;
  if (follows) return stream_on();
  return session_command(send_show{"wal_level"});
}

core::result<session_command> source_session::after(const client::setting_shown& event) {
  if (event.name == "wal_level") {
    STRATA_TRY(client::require_wal_level(event.value));
    return session_command(send_show{"data_checksums"});
  }
  if (event.name == "data_checksums") {
    data_checksums_ = event.value == "on";
    return session_command(send_show{"wal_log_hints"});
  }
  if (event.name == "wal_log_hints") {
    wal_log_hints_ = event.value == "on";
    return session_command(send_show{"wal_segment_size"});
  }
  STRATA_ASSIGN(wal_segment_size_, parse_size(event.value));
  return session_command(send_create_slot{});
}

core::result<session_command> source_session::after_slot() const {
  switch (goal_.wanted) {
    case session_goal::kind::probe: return session_command(session_complete{});
    case session_goal::kind::import: return session_command(send_start_backup{});
    case session_goal::kind::resume:
    case session_goal::kind::follow: break;
  }
  return stream_on();
}

session_command source_session::stream_on() const {
  return send_start_replication{pg::wal::after_header(goal_.resume_from, wal_segment_size_), source_timeline_};
}

std::chrono::milliseconds retry_backoff::next() {
  const auto wait = std::chrono::milliseconds(100) * (1 << std::min(failures_, 9));
  ++failures_;
  return std::min<std::chrono::milliseconds>(wait, std::chrono::seconds(30));
}

}  // namespace strata::actors::pageserver
