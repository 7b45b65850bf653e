#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "core/clock.hpp"
#include "journal/timeline_journal.hpp"
#include "protocol/timeline_info.hpp"

/// What a timeline's acceptor decides each second, as functions of what it knows.
namespace strata::journal {

/// What a peer has published, and when.
struct heard_peer {
  protocol::safekeeper_timeline_info info;
  core::monotonic_time at;
};
/// Older news is that of a peer that is gone.
inline constexpr std::chrono::seconds peer_lifetime{5};

struct timeline_situation {
  acceptor_position position;
  core::timeline_id timeline;
  consensus::node_id self;
  std::uint32_t segment_size = 0;
  bool has_backup = false;
  bool proposer_here = false;
  core::monotonic_time now;
  std::span<const heard_peer> peers;
};

/// Whether the timeline has something to tell its peers and the pageserver.
bool is_active(const timeline_situation& of);

/// WAL before it is needed by nobody: the pageserver has it, and so has object storage or, without one, every member.
/// The journal holds back what is not durable.
core::lsn removal_horizon(const acceptor_position& of, bool has_backup);

/// Segments in object storage that end at or before it are needed by nobody: the pageserver has their WAL durably, and
/// every member has it, so that no one that was away has to be fed from there.
core::lsn backup_removal_horizon(const acceptor_position& of);

/// Where the segment begins that this safekeeper is to put into object storage now, if any: whole committed ones only,
/// and of the safekeepers that could, one is chosen without asking anybody. Two may believe to be chosen: they write
/// the same.
std::optional<core::lsn> segment_to_offload(const timeline_situation& of);

/// The peer whose WAL is to be fetched: nobody pushes WAL here, and the peer has more of it, from a term whose proposer
/// was really elected.
const protocol::safekeeper_timeline_info* peer_to_recover_from(const timeline_situation& of);

}  // namespace strata::journal
