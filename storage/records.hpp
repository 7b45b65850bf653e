#pragma once

#include <optional>
#include <string>
#include <vector>

#include "consensus/membership.hpp"
#include "core/clock.hpp"
#include "core/generation.hpp"
#include "core/ids.hpp"
#include "core/instance_id.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"
#include "storage/write_batch.hpp"

/// The records of tenants, timelines and layers in the metadata store, as plain values (docs/formats/metadata.md).
namespace strata::storage {

/// A branch that was deleted at the end of its time.
struct expired_branch {
  std::string name;
  core::wall_time at;  ///< of its deletion
  bool operator==(const expired_branch&) const = default;
};
inline constexpr std::size_t expired_branches_max = 8;

struct tenant_record {
  core::tenant_id id;
  std::string name;
  core::generation generation{1};
  std::string options;                    ///< overrides of config::tenant_options as JSON text, empty for none
  std::vector<expired_branch> expired{};  ///< the last expired_branches_max, the newest one last
};

/// Why a source is no longer followed. Stands until an operator resumes it (docs/decisions/0035).
struct source_refusal {
  std::string why;
  core::lsn at;  ///< end of the WAL received
  core::wall_time since{};
  bool operator==(const source_refusal&) const = default;
};

/// The Postgres that a root timeline follows, or followed.
struct source_record {
  std::string conninfo;
  std::string slot;
  bool slot_named = false;                 ///< the user chose its name
  bool slot_existed = false;               ///< the user created it
  std::optional<wal_trace> received = {};  ///< of the WAL up to disk_consistent_lsn
  std::optional<source_refusal> refusal = {};
  bool ended = false;  ///< promoted: it is not followed any more, and is kept until its slot is dropped
};

/// A resource manager of an extension whose records a timeline has. Pages that they changed can't be read.
struct custom_manager {
  std::uint8_t id = 0;
  core::lsn since;  ///< end of the first record
  bool operator==(const custom_manager&) const = default;
};

/// A branch's WAL on a safekeeper that is or was a member (docs/decisions/0028). The timeline is created there once,
/// and only on the recorded instance: a safekeeper that lost its WAL must not vote again as a new one.
struct wal_keeper {
  consensus::node_id id;
  core::instance_id instance;  ///< invalid: the safekeeper was not reached yet, so nothing was created there
  bool created = false;        ///< the timeline was created there
  bool operator==(const wal_keeper&) const = default;
};

enum class timeline_state : std::uint8_t { importing = 1, active = 2, deleting = 3 };

struct timeline_record {
  core::tenant_id tenant;
  core::timeline_id id;
  std::string name;  ///< the branch's name, unique within the tenant
  timeline_state state = timeline_state::active;
  std::optional<core::timeline_id> ancestor;
  core::lsn ancestor_lsn;  ///< reads of keys this timeline has not changed go to the ancestor at this LSN
  pg::major_version major = pg::major_version::v15;
  std::uint64_t system_id = 0;
  std::uint32_t wal_segment_size = pg::default_wal_segment_size;
  bool data_checksums = false;
  bool wal_log_hints = false;
  core::lsn disk_consistent_lsn;  ///< everything up to and including it is in layer files
  core::lsn previous_record_lsn;  ///< start of the record that ends at disk_consistent_lsn; 0 = unknown
  core::lsn readable_from;        ///< the end of the base backup, or the branch point: reads before it fail
  core::lsn gc_cutoff;            ///< applied: reads before it fail
  core::wall_time created{};
  std::optional<source_record> source;
  std::optional<consensus::configuration> safekeepers;  ///< of a writable branch
  core::lsn quorum_start;                               ///< of a root with safekeepers: their WAL begins here
  std::vector<wal_keeper> wal_keepers;                  ///< of all present and former members; ids ascend
  std::vector<custom_manager> custom_managers;          ///< ids ascend
  bool deletion_protected = false;
  std::optional<core::wall_time> expires;  ///< from then on the branch is deleted
  bool logical_wal = false;                ///< its computes run with wal_level=logical (docs/decisions/0063)
};
/// Whether its WAL comes from a source.
inline bool follows_source(const timeline_record& of) { return of.source && !of.source->ended; }
/// Start of the WAL on its safekeepers: nothing runs there that began before. 0: none was ever assigned.
inline core::lsn own_wal_begin(const timeline_record& of) { return of.ancestor ? of.ancestor_lsn : of.quorum_start; }
/// Whether the slot stays when the source is removed: the user's does, one created for a failed import does not.
bool keeps_slot(const timeline_record& of);
/// The members on which the timeline is still to be created. None while it is being deleted.
std::vector<wal_keeper> keepers_to_create(const timeline_record& of);

/// WAL of a deleted timeline, and the safekeepers that must still delete it.
struct wal_deletion {
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::vector<consensus::node_id> from;
  bool operator==(const wal_deletion&) const = default;
};

/// The operations that are pending on safekeepers.
struct pending_wal_operations {
  std::vector<timeline_record> to_create;  ///< timelines for which keepers_to_create() is not empty
  std::vector<wal_deletion> to_delete;
};

enum class layer_kind : std::uint8_t { delta = 1, image = 2 };

/// Where the content of a layer is. Without object storage every layer is local.
enum class layer_residency : std::uint8_t {
  local = 1,     ///< the file is in the timeline's directory; a missing file is damage
  remote = 2,    ///< in object storage only; a missing file is not damage
  fetching = 3,  ///< remote, and a download is running. Never stored: after a crash the layer is remote
};

/// An immutable layer. The name of its file holds the same, except residency and level (docs/formats/layers.md).
struct layer_record {
  std::uint64_t number = 0;        ///< unique in the timeline, never reused
  core::generation generation{1};  ///< of the attachment that wrote it
  layer_residency residency = layer_residency::local;
  layer_kind kind = layer_kind::delta;
  std::uint8_t level = 0;  ///< 0: as flushed, whole key space; 1: compacted
  core::key_range keys;
  core::lsn begin;  ///< delta: versions in [begin, end); image: end = begin + 1
  core::lsn end;
  std::uint64_t size_bytes = 0;
  bool operator==(const layer_record&) const = default;
};
std::string layer_file_name(const layer_record& layer);

/// A version of a file that is not in the WAL and outlives an incarnation of a compute (docs/formats/side_files.md).
struct side_file_record {
  std::uint64_t number = 0;        ///< unique in the timeline; of two versions of a file the newer one has the higher
  core::generation generation{1};  ///< of the attachment that wrote it
  std::string name;                ///< "postgresql.auto.conf"
  core::lsn at;                    ///< it holds from here on; ascends with the number
  std::uint64_t term = 0;          ///< of the writer
  core::wall_time stored{};
  bool proven = false;         ///< Postgres has started with it
  std::uint64_t size = 0;      ///< of its content, in bytes
  std::uint64_t checksum = 0;  ///< XXH3-64 of its content
  bool operator==(const side_file_record&) const = default;
};

/// The changes of one step, all or nothing. Files of added layers are durable before the edit is committed; files of
/// removed ones are deleted after it.
struct timeline_edit {
  std::vector<layer_record> add;
  std::vector<std::uint64_t> remove;
  std::optional<core::lsn> disk_consistent_lsn;
  std::optional<core::lsn> previous_record_lsn;
  std::optional<core::lsn> gc_cutoff;
  std::optional<timeline_state> state;
  std::optional<core::lsn> readable_from;
  std::optional<bool> wal_log_hints;
  std::optional<wal_trace> received;  ///< from the source
  std::optional<source_refusal> refuse_source;
  bool resume_source = false;                           ///< clears the refusal
  bool end_source = false;                              ///< it is not followed any more
  bool forget_source = false;                           ///< nothing is left to do at it
  std::optional<consensus::configuration> safekeepers;  ///< members that join after generation 1 already have the WAL
  std::optional<core::lsn> quorum_start;                ///< of a root, with its first safekeepers
  std::optional<wal_keeper> wal_keeper_seen;            ///< the first instance counts; created stays set
  std::optional<custom_manager> custom_manager_seen;    ///< the first LSN of each counts
  std::optional<std::string> name;
  std::optional<bool> deletion_protected;
  std::optional<std::optional<core::wall_time>> expires;  ///< an empty time: never
  std::optional<bool> logical_wal;
  std::vector<side_file_record> put_side_files;  ///< new ones, or ones that were proven
  std::vector<std::uint64_t> remove_side_files;
  std::vector<commit_time> commit_times;
  std::optional<core::lsn> forget_commit_times_below;  ///< the last one at or below it stays
};
/// Applies the edit to the timeline's own record.
void apply_to_record(const timeline_edit& edit, timeline_record& record);

}  // namespace strata::storage
