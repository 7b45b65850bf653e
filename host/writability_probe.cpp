#include "host/writability_probe.hpp"

#include <algorithm>

namespace strata::host {

core::result<void> writability_probe::begin(std::chrono::milliseconds limit) {
  STRATA_ASSIGN(auto session, pg::client::sql_connection::open(conninfo_));
  session.limit_waits(limit);
  // What the database or the role has as defaults does not count.
  STRATA_TRY(session.execute("begin read write; set local synchronous_commit = on"));
  STRATA_ASSIGN(const auto rows, session.query("select pg_logical_emit_message(true, 'strata', '')"));
  if (rows.size() != 1 || rows.front().size() != 1 || !rows.front().front())
    return core::error{core::errc::corrupt, "Postgres's answer has no LSN"};
  STRATA_ASSIGN(message_, core::parse_lsn(*rows.front().front()));
  session_.emplace(std::move(session));
  return {};
}

core::result<core::lsn> writability_probe::look_at_standby() {
  STRATA_ASSIGN(const auto rows, session_->query("select coalesce(max(flush_lsn), '0/0') from pg_stat_replication "
                                                 "where application_name = $1",
                                                 {standby_name_}));
  if (rows.size() != 1 || rows.front().size() != 1 || !rows.front().front())
    return core::error{core::errc::corrupt, "Postgres's answer has no LSN"};
  return core::parse_lsn(*rows.front().front());
}

writability_probe::outcome writability_probe::commit(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  if (!session_)
    if (auto begun = begin(limit); !begun) return {std::move(begun).error(), component::postgres};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  auto committed = session_->commit(std::max(left, std::chrono::milliseconds(1)));
  if (!committed && committed.error().code == core::errc::timeout)
    return {std::move(committed).error(), component::quorum};
  if (!committed) {
    session_.reset();
    return {std::move(committed).error(), component::postgres};
  }
  auto durable = look_at_standby();
  session_.reset();
  if (!durable) return {std::move(durable).error(), component::postgres};
  // Somebody may have cancelled the wait of our commit.
  if (*durable <= message_)
    return {core::error{core::errc::io_error, "the wait for the quorum was cancelled"}, component::quorum};
  return {*durable, component::quorum};
}

}  // namespace strata::host
