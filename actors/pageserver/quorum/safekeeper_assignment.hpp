#pragma once

#include <vector>

#include "core/result.hpp"
#include "messages/wal_membership.hpp"
#include "storage/metadata/metadata_store.hpp"

/// Decisions about a branch's safekeepers. Without actors.
namespace strata::actors::pageserver {

/// Safekeepers of one timeline: one may fail.
inline constexpr std::size_t safekeepers_wanted = 3;

/// Generation 1, from the available safekeepers: as many as are wanted, or all when there are fewer. Timelines are
/// spread over them. Errors as for messages::assign_safekeepers.
core::result<consensus::configuration> first_safekeepers(const storage::timeline_record& of,
                                                         std::vector<consensus::member> available);

/// `to`, if the timeline may change to it. Errors as for messages::change_safekeepers; errc::invalid_argument for
/// invalid members.
core::result<consensus::configuration> next_safekeepers(const storage::timeline_record& of,
                                                        const consensus::configuration& to);

/// errc::not_found when it has none.
core::result<messages::timeline_safekeepers> safekeepers_of(const storage::timeline_record& of);

}  // namespace strata::actors::pageserver
