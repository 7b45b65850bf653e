#include "actors/pageserver/quorum/flushed_positions.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "actors/pageserver/maintenance/work_permits.hpp"
#include "pg/client/conninfo.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::actors::pageserver {

namespace client = pg::client;

namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds ask_limit{1500};
/// How long one more answer is worth waiting for: a safekeeper that does not answer counts as having everything.
constexpr std::chrono::milliseconds stragglers_limit{200};
/// With this application name a safekeeper reports flushed WAL, not only committed WAL.
constexpr const char* recovering_proposer = "wal_proposer_recovery";

/// One member, being asked.
struct question {
  consensus::node_id member;
  pg::wire::safekeeper_identity expected;
  client::replication_connection connection;
};

/// One safekeeper that answers for two members would make a false majority. Older ones do not send their identity.
core::result<void> check_who_answers(const question& of, const std::string& says) {
  if (says.empty()) return {};
  const auto answering = pg::wire::parse_safekeeper_identity(says);
  if (!answering) return core::error{core::errc::corrupt, "the safekeeper did not identify itself"};
  return pg::wire::check_identity(of.expected, *answering);
}

core::result<std::optional<core::lsn>> go_on(question& with) {
  STRATA_TRY(with.connection.step());
  for (;;) {
    STRATA_ASSIGN(const auto event, with.connection.receive());
    if (!event) return std::optional<core::lsn>();
    if (const auto* connected = std::get_if<client::connected>(&*event)) {
      STRATA_TRY(check_who_answers(with, connected->safekeeper));
      STRATA_TRY(with.connection.identify_system());
    }
    if (const auto* system = std::get_if<client::system_identified>(&*event)) return std::optional(system->flushed);
  }
}

core::result<question> open_question(const consensus::member& to, const locate_member& locate,
                                     const core::tenant_id& tenant, const core::timeline_id& timeline) {
  member_location at{to.host, to.port, {.id = to.id.value}};
  if (locate) {
    STRATA_ASSIGN(at, locate(to));
  }
  STRATA_ASSIGN(auto connection,
                client::replication_connection::open(client::safekeeper_conninfo(at.host, at.port, tenant, timeline),
                                                     recovering_proposer));
  return question{to.id, at.expected, std::move(connection)};
}

void wait_for_any(const std::vector<question>& open, steady::time_point until) {
  std::vector<::pollfd> waits;
  for (const question& each : open) {
    short events = 0;
    if (each.connection.wants_read()) events |= POLLIN;
    if (each.connection.wants_write()) events |= POLLOUT;
    waits.push_back({each.connection.fd(), events, 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady::now());
  if (left.count() > 0) ::poll(waits.data(), waits.size(), static_cast<int>(left.count()));
}

core::result<std::map<consensus::node_id, core::lsn>> ask_all(const consensus::configuration& members,
                                                              const core::tenant_id& tenant,
                                                              const core::timeline_id& timeline,
                                                              const locate_member& locate) {
  // The threads that wait here also read cold pages.
  static work_permits asking(2);
  const auto permit = asking.try_take();
  if (!permit) return core::error{core::errc::busy, "too many queries of safekeepers are in progress"};
  auto until = steady::now() + ask_limit;
  std::vector<question> open;
  for (const consensus::member& each : members.all())
    if (auto opened = open_question(each, locate, tenant, timeline)) open.push_back(*std::move(opened));
  std::map<consensus::node_id, core::lsn> flushed;
  const auto has_answered = [&](consensus::node_id id) { return flushed.contains(id); };
  for (bool enough = false;;) {
    std::erase_if(open, [&](question& each) {
      const auto answer = go_on(each);
      if (answer && *answer) flushed[each.member] = **answer;
      return !answer || *answer;
    });
    if (!enough && members.is_quorum(has_answered)) {
      enough = true;
      until = std::min(until, steady::now() + stragglers_limit);
    }
    if (open.empty() || steady::now() >= until) return flushed;
    wait_for_any(open, until);
  }
}

}  // namespace

core::result<core::lsn> acknowledged_at_most(const consensus::configuration& members,
                                             const std::map<consensus::node_id, core::lsn>& flushed) {
  const core::lsn at_most = members.quorum_position([&](consensus::node_id id) {
    const auto found = flushed.find(id);
    return found == flushed.end() ? core::lsn::max() : found->second;
  });
  if (at_most != core::lsn::max()) return at_most;
  return core::error{core::errc::unavailable, std::to_string(flushed.size()) + " of " +
                                                  std::to_string(members.all().size()) +
                                                  " safekeepers answered: too few to determine the commit position"};
}

flushed_question ask_flushed(locate_member locate) {
  return [locate = std::move(locate)](const consensus::configuration& members, const core::tenant_id& tenant,
                                      const core::timeline_id& timeline) {
    return ask_all(members, tenant, timeline, locate);
  };
}

core::result<core::lsn> ask_acknowledged(const flushed_question& ask, const consensus::configuration& members,
                                         const core::tenant_id& tenant, const core::timeline_id& timeline) {
  STRATA_ASSIGN(const auto flushed, ask(members, tenant, timeline));
  return acknowledged_at_most(members, flushed);
}

}  // namespace strata::actors::pageserver
