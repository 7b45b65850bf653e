#pragma once

#include <optional>
#include <string>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::actors::compute {

/// Looks through the WAL of a branch before its standby gets it, for records whose replay would act outside of the
/// data directory: CREATE TABLESPACE at a place of the machine. The server that has written it uses that place, perhaps
/// on this very machine, and the standby would write into the same files. A directory that begins after such a record
/// has the tablespace inside.
///
/// Part of wal_feed. Holds at most one record that has not arrived completely.
class stream_guard {
 public:
  /// `start`: where a record begins.
  stream_guard(core::lsn start, pg::major_version major, std::uint32_t segment_size, std::uint64_t system_id);

  struct refusal {
    core::lsn end;  ///< of the record
    std::string path;
  };
  /// The stream's bytes at `at`, which continue what came before, or repeat it. nullopt: they may be replayed.
  /// errc::corrupt: they are no WAL; discard this object.
  core::result<std::optional<refusal>> examine(core::lsn at, core::bytes_view wal);

 private:
  pg::wal::stream_decoder decoder_;
  pg::major_version major_;
  pg::wal::record record_;
};

}  // namespace strata::actors::compute
