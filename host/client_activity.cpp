#include "host/client_activity.hpp"

#include <algorithm>
#include <charconv>

#include "pg/client/sql_connection.hpp"

namespace strata::host {
namespace {

/// The first server whose sessions count at once: those of before tell a collector, which writes twice a second.
constexpr int has_next_flush = 150000;

std::int64_t number(const pg::client::sql_value& text) {
  std::int64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

}  // namespace

core::result<activity_sample> look_at_activity(const std::string& conninfo, const std::string& standby_name,
                                               std::chrono::milliseconds limit) {
  STRATA_ASSIGN(auto session, pg::client::sql_connection::open(conninfo));
  session.limit_waits(limit);
  // Otherwise our own session would be missing in the count, and appear as another one's next time.
  if (session.server_version() >= has_next_flush) STRATA_TRY(session.execute("select pg_stat_force_next_flush()"));
  STRATA_ASSIGN(
      const auto rows,
      session.query("select (select coalesce(stats_reset::text, '') from pg_stat_bgwriter), "
                    "(select coalesce(sum(sessions), 0)::bigint from pg_stat_database), "
                    "(select count(*) from pg_stat_replication where application_name <> $2), "
                    "count(*) filter (where state is distinct from 'idle'), "
                    "(extract(epoch from max(state_change)) * 1000000)::bigint "
                    "from pg_stat_activity "
                    "where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name <> $1",
                    {control_application, standby_name}));
  if (rows.size() != 1 || rows.front().size() != 5)
    return core::error{core::errc::corrupt, "Postgres's answer about its sessions has another form"};
  const auto& row = rows.front();
  activity_sample made{.epoch = row[0].value_or(""), .sessions = number(row[1])};
  made.active = number(row[2]) > 0 || number(row[3]) > 0;
  if (row[4]) made.last = core::wall_time(std::chrono::microseconds(number(row[4])));
  return made;
}

void client_activity::looked(const activity_sample& at, core::wall_time now) {
  const auto active_at = [&](core::wall_time when) { last_ = std::max(last_.value_or(when), std::min(when, now)); };
  if (at.epoch != epoch_) {
    seen_ = 0;
    own_before_ = 0;
    epoch_ = at.epoch;
  }
  const std::int64_t others = at.sessions - own_ - own_before_;
  // One of ours may not be counted yet: then others are one more than this. Far fewer: somebody has reset the counts.
  if (others > seen_ || others + 2 < seen_) {
    seen_ = std::max<std::int64_t>(others, 0);
    active_at(now);
  }
  if (at.last) active_at(*at.last);
  if (at.active) active_at(now);
}

}  // namespace strata::host
