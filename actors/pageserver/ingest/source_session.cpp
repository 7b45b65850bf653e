#include "actors/pageserver/ingest/source_session.hpp"

#include <algorithm>
#include <charconv>

#include "actors/pageserver/ingest/source_history.hpp"
#include "pg/client/standby_names.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::actors::pageserver {

namespace client = pg::client;

namespace {

/// In the form of SHOW: "16MB", "1GB".
core::result<std::uint32_t> parse_size(const std::string& text) {
  std::uint32_t number = 0;
  const auto [unit, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view name(unit, static_cast<std::size_t>(text.data() + text.size() - unit));
  const std::uint32_t factor = name == "GB" ? 1u << 30 : name == "MB" ? 1u << 20 : 0;
  const std::uint64_t size = std::uint64_t{number} * factor;
  if (failure != std::errc() || size == 0 || size > 1u << 30 || (size & (size - 1)) != 0)
    return core::error{core::errc::unsupported,
                       "follow source: wal_segment_size \"" + text + "\" is not a segment size of Postgres"};
  return static_cast<std::uint32_t>(size);
}

/// Settings on which answers to queries depend, and their values on a compute whose configuration does not set them.
/// Its configuration is not the source's: files outside of the data directory's pages are not imported.
struct query_setting {
  const char* name;
  const char* of_computes;
};
constexpr query_setting query_settings[] = {{"search_path", "\"$user\", public"},
                                            {"timezone", "GMT"},
                                            {"datestyle", "ISO, MDY"},
                                            {"intervalstyle", "postgres"},
                                            {"default_text_search_config", "pg_catalog.simple"},
                                            {"lc_monetary", "C"},
                                            {"lc_numeric", "C"},
                                            {"lc_time", "C"},
                                            {"default_transaction_isolation", "read committed"},
                                            {"shared_preload_libraries", ""}};

}  // namespace

bool differs_on_computes(const client::setting_shown& setting) {
  return std::any_of(std::begin(query_settings), std::end(query_settings), [&](const query_setting& known) {
    return setting.name == known.name && setting.value != known.of_computes;
  });
}

core::result<session_command> source_session::on(const client::replication_event& event) {
  if (const auto* e = std::get_if<client::connected>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::system_identified>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::setting_shown>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::history_shown>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::slot_created>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::slot_read>(&event)) return after(*e);
  if (std::holds_alternative<client::slot_dropped>(event)) return after_slot();
  if (const auto* e = std::get_if<client::streaming_ended>(&event)) return after(*e);
  if (const auto* e = std::get_if<client::backup_started>(&event)) {
    backup_start_ = e->start;
    return session_command(wait_for_event{});
  }
  if (std::holds_alternative<client::backup_finished>(event))
    return session_command(
        send_start_replication{pg::wal::before_header(backup_start_, wal_segment_size_), source_timeline_});
  return session_command(wait_for_event{});
}

core::result<session_command> source_session::after(const client::connected& event) {
  major_ = event.major;
  application_name_ = event.application_name;
  if (event.in_recovery && goal_.wanted != session_goal::kind::follow)
    return core::error{
        core::errc::unsupported,
        "follow source: it is a standby; name its primary in --conninfo, a branch needs the primary's slots"};
  return session_command(send_identify_system{});
}

core::result<session_command> source_session::after(const client::system_identified& event) {
  const bool follows = goal_.wanted == session_goal::kind::follow;
  // A safekeeper without an identity of the cluster sends 0.
  const bool differs = goal_.system_id != 0 && event.system_id != 0 && goal_.system_id != event.system_id;
  if (differs && follows)
    return core::error{core::errc::conflict, "follow a safekeeper: it has WAL of another cluster (system identifier " +
                                                 std::to_string(event.system_id) + ") than the timeline's (" +
                                                 std::to_string(goal_.system_id) + ")"};
  if (differs)
    return not_the_same_server("it is another cluster (system identifier " + std::to_string(event.system_id) +
                               ") than the one that was imported (" + std::to_string(goal_.system_id) + ")");
  system_id_ = event.system_id;
  source_timeline_ = event.timeline;
  source_head_ = event.flushed;
  if (follows) return stream_on();
  if (goal_.wanted != session_goal::kind::resume) return session_command(send_show{"wal_level"});
  if (event.timeline > 1) return session_command(send_show_history{event.timeline});
  return after(client::history_shown{});
}

core::result<session_command> source_session::after(const client::history_shown& event) {
  STRATA_ASSIGN(const auto history, parse_history(event.text));
  STRATA_ASSIGN(
      source_timeline_,
      timeline_to_read(source_timeline_, history,
                       {.timeline = goal_.source_timeline, .at = goal_.resume_from, .read_from = read_from()}));
  // A server sends its followers only WAL on its own disk.
  if (source_head_ < pg::wal::before_header(goal_.resume_from, wal_segment_size_))
    return not_the_same_server("its WAL ends at " + to_string(source_head_) + ", and it was followed to " +
                               to_string(goal_.resume_from));
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
  if (event.name == "wal_segment_size") {
    STRATA_ASSIGN(wal_segment_size_, parse_size(event.value));
    return session_command(send_show{"synchronous_standby_names"});
  }
  if (event.name == "synchronous_standby_names") {
    STRATA_TRY(check_standby_names(event.value));
    return goal_.wanted == session_goal::kind::probe ? next_query_setting(0) : session_command(send_create_slot{});
  }
  const auto* known = std::find_if(std::begin(query_settings), std::end(query_settings),
                                   [&](const query_setting& each) { return event.name == each.name; });
  return next_query_setting(static_cast<std::size_t>(known - std::begin(query_settings)) + 1);
}

session_command source_session::next_query_setting(std::size_t number) const {
  if (number < std::size(query_settings)) return send_show{query_settings[number].name};
  return send_create_slot{.for_this_connection = true};
}

/// WAL becomes durable here long after COMMIT, so no commit may wait for it (docs/decisions/0036).
core::result<void> source_session::check_standby_names(const std::string& value) {
  if (!client::names_standby(value, application_name_)) return {};
  synchronous_standby_names_ = value;
  if (goal_.wanted != session_goal::kind::probe) return {};
  return core::error{core::errc::invalid_argument,
                     "follow source: its synchronous_standby_names = '" + value + "' would count " + application_name_ +
                         " as a synchronous standby, and Strata is never one: COMMIT would wait for ever. Name the "
                         "synchronous servers: alter system set synchronous_standby_names = 'STANDBY'; "
                         "select pg_reload_conf()"};
}

core::result<session_command> source_session::after(const client::slot_created& event) const {
  if (goal_.wanted != session_goal::kind::probe) return after_slot();
  if (!event.existed) return session_command(send_drop_slot{});
  if (major_ >= pg::major_version::v15) return session_command(send_read_slot{});
  return core::error{core::errc::conflict,
                     "follow source: it has a replication slot \"" + goal_.slot +
                         "\" already, which another follower may use; choose another one with --slot, or drop it: "
                         "select pg_drop_replication_slot('" +
                         goal_.slot + "')"};
}

core::result<session_command> source_session::after(const client::slot_read& event) const {
  // A slot that keeps WAL belongs to another client, even if none is connected to it now.
  if (!event.restart.valid()) return after_slot();
  return core::error{core::errc::conflict,
                     "follow source: its replication slot \"" + goal_.slot + "\" is in use: it keeps WAL from " +
                         to_string(event.restart) +
                         " on for another follower, which would lose it; choose another one with --slot, or, if it is "
                         "unused, drop it: select pg_drop_replication_slot('" +
                         goal_.slot + "')"};
}

/// A source that was promoted has earlier WAL on the timeline it left.
core::result<session_command> source_session::after(const client::streaming_ended& event) {
  if (event.next_timeline == 0) return session_command(wait_for_event{});
  source_timeline_ = event.next_timeline;
  return session_command(send_start_replication{event.next_timeline_start, source_timeline_});
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

core::lsn source_session::read_from() const { return goal_.read_from.valid() ? goal_.read_from : goal_.resume_from; }

/// A source whose WAL ends with a page has not written the header of the next one yet, so the page itself is
/// requested; for a safekeeper the position is the same as from a compute.
session_command source_session::stream_on() const {
  if (goal_.wanted == session_goal::kind::follow)
    return send_start_replication{pg::wal::after_header(goal_.resume_from, wal_segment_size_), source_timeline_};
  return send_start_replication{read_from(), source_timeline_};
}

}  // namespace strata::actors::pageserver
