#include "actors/pageserver/source_session.hpp"

#include <algorithm>

#include "pg/wal/stream_decoder.hpp"

namespace strata::actors::pageserver {

namespace client = pg::client;

core::result<session_command> source_session::on(const client::replication_event& event) {
  if (const auto* e = std::get_if<client::connected>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::system_identified>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::setting_shown>(&event)) {
    STRATA_TRY(client::require_wal_level(e->value));
    return session_command(send_create_slot{});
  }
  if (std::holds_alternative<client::slot_created>(event)) return after_slot();
  if (const auto* e = std::get_if<client::backup_started>(&event)) {
    backup_start_ = e->start;
    return session_command(wait_for_event{});
  }
  if (std::holds_alternative<client::backup_finished>(event))
    return session_command(send_start_replication{pg::wal::after_header(backup_start_), source_timeline_});
  return session_command(wait_for_event{});
}

core::result<session_command> source_session::after(const client::connected& event) const {
  if (event.in_recovery)
    return core::error{core::errc::unsupported,
                       "follow source: it is a standby; name its primary in --conninfo, a branch needs the primary's slots"};
  return session_command(send_identify_system{});
}

core::result<session_command> source_session::after(const client::system_identified& event) {
  if (goal_.system_id != 0 && goal_.system_id != event.system_id)
    return core::error{core::errc::conflict,
                       "follow source: it is another cluster (system identifier " + std::to_string(event.system_id) +
                           ") than the one that was imported (" + std::to_string(goal_.system_id) +
                           "); add it as a new source with: strata source add NAME --conninfo URI"};
  system_id_ = event.system_id;
  source_timeline_ = event.timeline;
  source_head_ = event.flushed;
  return session_command(send_show{"wal_level"});
}

core::result<session_command> source_session::after_slot() const {
  switch (goal_.wanted) {
    case session_goal::kind::probe: return session_command(session_complete{});
    case session_goal::kind::import: return session_command(send_start_backup{});
    case session_goal::kind::resume: break;
  }
  return session_command(send_start_replication{pg::wal::after_header(goal_.resume_from), source_timeline_});
}

std::chrono::milliseconds retry_backoff::next() {
  const auto wait = std::chrono::milliseconds(100) * (1 << std::min(failures_, 9));
  ++failures_;
  return std::min<std::chrono::milliseconds>(wait, std::chrono::seconds(30));
}

}  // namespace strata::actors::pageserver
