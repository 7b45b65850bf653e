#include "actors/pageserver/known_history.hpp"

#include <poll.h>

#include "actors/pageserver/work_permits.hpp"
#include "config/time_text.hpp"
#include "pg/client/conninfo.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::actors::pageserver {

namespace client = pg::client;

namespace {

constexpr std::chrono::seconds member_limit{2};
/// As whom a safekeeper tells what is flushed, not only what is committed.
constexpr const char* recovering_proposer = "wal_proposer_recovery";

core::result<core::lsn> ask_flushed_of(const consensus::member& of, const core::tenant_id& tenant,
                                       const core::timeline_id& timeline) {
  const auto deadline = std::chrono::steady_clock::now() + member_limit;
  STRATA_ASSIGN(auto connection,
                client::replication_connection::open(client::safekeeper_conninfo(of.host, of.port, tenant, timeline),
                                                     recovering_proposer));
  for (;;) {
    STRATA_TRY(connection.step());
    for (;;) {
      STRATA_ASSIGN(const auto event, connection.receive());
      if (!event) break;
      if (std::holds_alternative<client::connected>(*event)) STRATA_TRY(connection.identify_system());
      if (const auto* system = std::get_if<client::system_identified>(&*event)) return system->flushed;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return core::error{core::errc::timeout, "no answer in time"};
    short events = 0;
    if (connection.wants_read()) events |= POLLIN;
    if (connection.wants_write()) events |= POLLOUT;
    ::pollfd waits{connection.fd(), events, 0};
    ::poll(&waits, 1, static_cast<int>(left.count()));
  }
}

}  // namespace

core::result<std::optional<core::lsn>> point_at(core::wall_time time, const storage::lsn_at_time& found,
                                                const known_history& known) {
  using kind = storage::lsn_at_time::kind;
  const bool is_known = known.until && time <= *known.until;
  const bool is_since = known.since && time >= *known.since;
  switch (found.answer) {
    case kind::present: return std::optional(found.at);
    // Nothing later was committed: the timeline is as it was then, if all of that time is in.
    case kind::future: return is_known ? std::optional(found.at) : std::nullopt;
    case kind::past:
      if (is_since) return std::optional(known.window.first);
      break;
    case kind::no_data:
      if (known.since && !is_since) break;
      return is_since && is_known ? std::optional(known.window.last) : std::nullopt;
  }
  return core::error{core::errc::out_of_range,
                     config::local_text(time) + " is before the history that is kept: it can be read from " +
                         core::to_string(known.window.first) + " to " + core::to_string(known.window.last)};
}

std::string why_not_known(const std::optional<core::wall_time>& until, const std::string& state) {
  return (until ? "everything that was committed up to " + config::local_text(*until) + " is here"
                : std::string("no word has come yet of how far it is")) +
         "; " + state;
}

core::result<core::lsn> acknowledged_at_most(const consensus::configuration& members,
                                             const std::map<consensus::node_id, core::lsn>& flushed) {
  const core::lsn at_most = members.quorum_position([&](consensus::node_id id) {
    const auto found = flushed.find(id);
    return found == flushed.end() ? core::lsn::max() : found->second;
  });
  if (at_most != core::lsn::max()) return at_most;
  return core::error{core::errc::unavailable, std::to_string(flushed.size()) + " of " +
                                                  std::to_string(members.all().size()) +
                                                  " safekeepers answered: too few to tell what was committed"};
}

std::map<consensus::node_id, core::lsn> ask_flushed(const consensus::configuration& members,
                                                    const core::tenant_id& tenant, const core::timeline_id& timeline) {
  // The threads that wait here are those of cold pages, too. Who is not let in asks again.
  static work_permits asking(2);
  const auto permit = asking.try_take();
  if (!permit) return {};
  std::map<consensus::node_id, core::lsn> flushed;
  for (const consensus::member& each : members.all())
    if (const auto at = ask_flushed_of(each, tenant, timeline)) flushed[each.id] = *at;
  return flushed;
}

}  // namespace strata::actors::pageserver
