#pragma once

#include <memory>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::messages {

/// The next part of the tar. Pulled, so that a slow client bounds what is in memory.
struct next_chunk {};
struct backup_chunk {
  std::shared_ptr<const core::bytes> bytes;  ///< empty: the archive is complete
};

/// Streams one timeline at one LSN as a tar archive; ends when the archive is complete or nobody holds it.
using basebackup_actor = actor_interface<answers<next_chunk, backup_chunk>>;

enum class backup_kind {
  compute,  ///< everything but relation data, with neon.signal: what existing compute clients of the page service
            ///< expect
  full,     ///< a plain data directory that stock Postgres starts from
};
struct start_backup {
  core::tenant_id tenant;
  core::timeline_id timeline;
  core::lsn at;  ///< 0: the head, as of resolve_point
  backup_kind kind = backup_kind::full;
  bool gzip = false;
};
/// The first chunk has not been asked for yet; everything that can be refused (window, unknown timeline) was checked.
struct backup_started {
  basebackup_actor actor;
  core::lsn at;
};
/// Makes basebackup actors; one per process.
using backup_factory_actor = actor_interface<answers<start_backup, backup_started>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::next_chunk)
STRATA_LOCAL_MESSAGE(strata::messages::backup_chunk)
STRATA_LOCAL_MESSAGE(strata::messages::start_backup)
STRATA_LOCAL_MESSAGE(strata::messages::backup_started)
