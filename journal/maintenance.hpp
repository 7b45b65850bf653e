#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "core/clock.hpp"
#include "journal/timeline_journal.hpp"
#include "protocol/timeline_info.hpp"

/// The decisions that a timeline's acceptor makes each second, as functions of its state.
namespace strata::journal {

/// A peer's published state, and when it arrived.
struct peer_report {
  protocol::safekeeper_timeline_info info;
  core::monotonic_time at;
};
/// Older states count as those of a lost peer.
inline constexpr std::chrono::seconds peer_lifetime{5};

struct timeline_situation {
  acceptor_position position;
  core::timeline_id timeline;
  consensus::node_id self;
  std::uint32_t segment_size = 0;
  bool has_backup = false;
  bool proposer_here = false;
  core::monotonic_time now;
  std::span<const peer_report> peers;
};

/// Whether the timeline's state must be published to its peers and the pageserver.
bool is_active(const timeline_situation& of);

/// No reader needs WAL before it: the pageserver has it, and so has object storage or, without one, every member.
/// The journal keeps WAL as long as these positions are not durable.
core::lsn removal_horizon(const acceptor_position& of, bool has_backup);

/// Segments in object storage that end at or before it are not needed: the pageserver has their WAL durably, and every
/// member has it, so that no member has to be fed from there.
core::lsn backup_removal_horizon(const acceptor_position& of);

/// The start of the segment that this safekeeper puts into object storage now, if any: only whole committed ones. One
/// of the eligible safekeepers is chosen without messages. Two may choose themselves: they write the same bytes.
std::optional<core::lsn> segment_to_offload(const timeline_situation& of);

/// The peer to fetch WAL from: no proposer pushes WAL here, and the peer has more of it, from a term whose proposer was
/// elected.
const protocol::safekeeper_timeline_info* peer_to_recover_from(const timeline_situation& of);

}  // namespace strata::journal
