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

/// The head of WAL that may have been acknowledged by `members`: the highest position that a majority can have,
/// if members that did not answer have everything. errc::unavailable when too few answered. (Pure.)
core::result<core::lsn> acknowledged_at_most(const consensus::configuration& members,
                                             const std::map<consensus::node_id, core::lsn>& flushed);

/// A member's current address, and the identity that must answer there: addresses in a configuration may be outdated.
struct member_location {
  std::string host;
  std::uint16_t port = 0;
  pg::wire::safekeeper_identity expected;
};
/// Blocks. An error: it can't be reached now, and no other server may be taken for it.
using locate_member = std::function<core::result<member_location>(const consensus::member&)>;

/// The ends of the WAL on the members' disks, of the members that answer.
using flushed_question = std::function<core::result<std::map<consensus::node_id, core::lsn>>(
    const consensus::configuration&, const core::tenant_id&, const core::timeline_id&)>;

/// Asks all members at once, and blocks for 1.5 s at most (plus name resolution): answers that come later than shortly
/// after a majority's are left out. errc::busy, without asking, when too many timelines ask at once.
/// Without `locate` the members have the configuration's addresses.
flushed_question ask_flushed(locate_member locate = nullptr);

/// The WAL that the members may have acknowledged by now, by asking them; errors and blocking as of `ask` and
/// acknowledged_at_most().
core::result<core::lsn> ask_acknowledged(const flushed_question& ask, const consensus::configuration& members,
                                         const core::tenant_id& tenant, const core::timeline_id& timeline);

}  // namespace strata::actors::pageserver
