#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "consensus/membership.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/wire/safekeeper_identity.hpp"

namespace strata::actors::pageserver {

/// The head of WAL that may have been acknowledged by `configuration`: the highest position that a majority can have,
/// taking those that did not answer for holders of anything. errc::unavailable when too few answered to say. (Pure.)
core::result<core::lsn> acknowledged_at_most(const consensus::configuration& members,
                                             const std::map<consensus::node_id, core::lsn>& flushed);

/// Where a member is reached now, and who must answer there: a configuration names addresses, and these change.
struct member_location {
  std::string host;
  std::uint16_t port = 0;
  pg::wire::safekeeper_identity expected;
};
/// Blocks. An error: it can't be reached now, and nobody else may be taken for it.
using locate_member = std::function<core::result<member_location>(const consensus::member&)>;

/// How far the WAL on the members' disks goes, of those that answer.
using flushed_question = std::function<core::result<std::map<consensus::node_id, core::lsn>>(
    const consensus::configuration&, const core::tenant_id&, const core::timeline_id&)>;

/// Asks all members at once, and blocks for 1.5 s at most (name resolution apart): those that have not answered shortly
/// after a majority are left out. errc::busy, and nobody was asked, when this is asked for too many timelines at once.
/// Without `locate` the members are where the configuration says.
flushed_question ask_flushed(locate_member locate = nullptr);

/// What the members may have acknowledged by now, by asking them; errors and blocking as of `ask` and
/// acknowledged_at_most().
core::result<core::lsn> ask_acknowledged(const flushed_question& ask, const consensus::configuration& members,
                                         const core::tenant_id& tenant, const core::timeline_id& timeline);

}  // namespace strata::actors::pageserver
