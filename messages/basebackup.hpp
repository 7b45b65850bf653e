#pragma once

#include <memory>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::messages {

/// Requests the next part of the archive. The client pulls, so a slow client bounds memory use.
struct next_chunk {};
struct backup_chunk {
  std::shared_ptr<const core::bytes> bytes;  ///< empty: the archive is complete
};

/// Streams one timeline at one LSN as a tar archive; ends when the archive is complete or its last holder is gone.
using basebackup_actor = actor_interface<answers<next_chunk, backup_chunk>>;

enum class backup_kind {
  compute,  ///< everything except relation data, with neon.signal, as existing compute clients of the page service
            ///< expect
  full,     ///< a plain data directory for stock Postgres
  listed,   ///< the same with a manifest in place of most relation files (docs/formats/cluster_files.md)
};
struct start_backup {
  core::tenant_id tenant;
  core::timeline_id timeline;
  core::lsn at;  ///< 0: the head, as of resolve_point
  backup_kind kind = backup_kind::full;
  bool gzip = false;
  core::lsn standby_of{};  ///< storage::mapping::data_directory_options::standby_of
};
/// The window and the timeline were checked; the first chunk was not requested yet.
struct backup_started {
  basebackup_actor actor;
  core::lsn at;
};
/// Creates basebackup actors; one per process.
using backup_factory_actor = actor_interface<answers<start_backup, backup_started>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::next_chunk)
STRATA_LOCAL_MESSAGE(strata::messages::backup_chunk)
STRATA_LOCAL_MESSAGE(strata::messages::start_backup)
STRATA_LOCAL_MESSAGE(strata::messages::backup_started)
