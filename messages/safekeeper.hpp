#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consensus/acceptor.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "messages/broker.hpp"
#include "messages/interface.hpp"

namespace strata::messages {

/// The state of one timeline on a safekeeper.
struct wal_timeline_info {
  consensus::acceptor_state state;
  core::lsn wal_begin;  ///< start of the WAL on this safekeeper; 0: no WAL
  core::lsn write_lsn;
  core::lsn flush_lsn;
  consensus::term last_log_term;
  std::string condition;        ///< "active", "idle", "broken: <why>"
  std::uint32_t proposers = 0;  ///< connected proposers
  std::uint32_t receivers = 0;  ///< connected receivers of WAL
  std::uint64_t wal_bytes = 0;  ///< on this safekeeper's disk
  std::string recovering_from;  ///< a peer's WAL address; empty: no recovery
  std::string last_error;       ///< the last failure, which is retried; empty: none
  std::vector<protocol::safekeeper_timeline_info> peers;
};

struct list_wal_timelines {};
struct wal_timeline_list {
  std::vector<wal_timeline_info> timelines;
};
/// errc::not_found.
struct get_wal_timeline {
  core::timeline_key of;
};
/// Creates an empty timeline (for a pull, one whose WAL begins later). If the timeline exists with the same cluster,
/// its state is returned. errc::conflict if it was deleted here or belongs to another cluster. Durable on reply.
struct create_wal_timeline {
  consensus::acceptor_state state;
};
/// Deletes the timeline and its files; the timeline is refused from then on. No error if it does not exist. Durable on
/// reply.
struct delete_wal_timeline {
  core::timeline_key of;
  bool everywhere = false;  ///< on all safekeepers: segments in object storage are deleted, too
};
struct delete_wal_tenant {
  core::tenant_id of;
};
/// The copy of a timeline on another safekeeper, as that safekeeper reported it.
struct wal_donor {
  consensus::acceptor_state state;
  core::lsn wal_begin;
  core::lsn flush_lsn;
  std::string wal_address;  ///< its WAL service, host:port
};
/// Asks the safekeepers at `hosts` for the timeline, creates it here if it is missing, and fetches the WAL of the donor
/// with the most of the newest. Answered when this safekeeper has all WAL that the donor reported. errc::unavailable,
/// with the error of each host, if none of them has the timeline.
struct pull_wal_timeline {
  core::timeline_key of;
  std::vector<std::string> hosts;  ///< HOST:PORT of their HTTP API
};
/// As consensus::switch_members.
struct switch_wal_members {
  core::timeline_key of;
  consensus::configuration to;
};
/// Installs a configuration without this safekeeper, then deletes the timeline as delete_wal_timeline does. The first
/// step fences the proposers that count on this safekeeper; without it nothing is deleted. errc::invalid_argument if
/// `to` has this safekeeper as a member; errc::conflict if the timeline has a configuration that is not older and has
/// it. Both steps are durable on reply. They may be repeated: a timeline that is missing stays deleted.
struct exclude_wal_member {
  core::timeline_key of;
  consensus::configuration to;
};
struct wal_member_excluded {
  bool had_timeline = false;  ///< false: only the deletion was recorded
};
/// As consensus::bump_term; without a term: one above the current term.
struct bump_wal_term {
  core::timeline_key of;
  std::optional<consensus::term> to;
};
/// Makes positions durable that are only in memory, and removes WAL that is no longer needed.
struct checkpoint_wal_timeline {
  core::timeline_key of;
};
/// CRC-32C of the WAL [from, to), to compare safekeepers. errc::out_of_range if this safekeeper does not have it.
struct digest_wal {
  core::timeline_key of;
  core::lsn from;
  core::lsn to;
};
struct wal_digest {
  std::uint32_t crc32c = 0;
};
struct get_wal_disk {};
struct wal_disk_info {
  std::uint64_t timelines = 0;
  std::uint64_t wal_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t reserve_bytes = 0;  ///< at or below this free space WAL is refused
};

/// All timelines of one safekeeper.
using wal_timelines_actor =
    actor_interface<answers<list_wal_timelines, wal_timeline_list>, answers<get_wal_timeline, wal_timeline_info>,
                    answers<create_wal_timeline, wal_timeline_info>, answers<delete_wal_timeline, done>,
                    answers<delete_wal_tenant, done>, answers<pull_wal_timeline, wal_timeline_info>,
                    answers<switch_wal_members, wal_timeline_info>, answers<exclude_wal_member, wal_member_excluded>,
                    answers<bump_wal_term, wal_timeline_info>, answers<checkpoint_wal_timeline, wal_timeline_info>,
                    answers<digest_wal, wal_digest>, answers<get_wal_disk, wal_disk_info>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::wal_timeline_info)
STRATA_LOCAL_MESSAGE(strata::messages::list_wal_timelines)
STRATA_LOCAL_MESSAGE(strata::messages::wal_timeline_list)
STRATA_LOCAL_MESSAGE(strata::messages::get_wal_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::create_wal_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::delete_wal_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::delete_wal_tenant)
STRATA_LOCAL_MESSAGE(strata::messages::pull_wal_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::switch_wal_members)
STRATA_LOCAL_MESSAGE(strata::messages::exclude_wal_member)
STRATA_LOCAL_MESSAGE(strata::messages::wal_member_excluded)
STRATA_LOCAL_MESSAGE(strata::messages::bump_wal_term)
STRATA_LOCAL_MESSAGE(strata::messages::checkpoint_wal_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::digest_wal)
STRATA_LOCAL_MESSAGE(strata::messages::wal_digest)
STRATA_LOCAL_MESSAGE(strata::messages::get_wal_disk)
STRATA_LOCAL_MESSAGE(strata::messages::wal_disk_info)
