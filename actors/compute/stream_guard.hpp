#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::actors::compute {

/// Looks through the WAL of a branch before its standby gets it, for records whose replay would act outside of the
/// data directory: CREATE TABLESPACE at a place of the machine. The server that has written it uses that place, perhaps
/// on this very machine, and the standby would write into the same files. The path is taken out of such a record, and
/// its CRC changed: then its replay makes the tablespace inside the directory, where every archive has it. Where that
/// can't be done the record is refused, and a directory that begins after it has the tablespace inside, too.
///
/// Part of wal_feed. Holds at most one record that has not arrived completely, and the changes of tablespaces_max.
class stream_guard {
 public:
  static constexpr std::size_t tablespaces_max = 1000;

  /// `start`: where a record begins.
  stream_guard(core::lsn start, pg::major_version major, std::uint32_t segment_size, std::uint64_t system_id);

  struct refusal {
    core::lsn end;  ///< of the record
    std::string path;
  };
  /// The stream's bytes at `at`, which continue what came before, or repeat it. nullopt: they may be replayed once they
  /// are changed. errc::corrupt: they are no WAL; discard this object.
  core::result<std::optional<refusal>> examine(core::lsn at, core::bytes_view wal);

  /// Whether change() has an effect on these bytes.
  [[nodiscard]] bool changes(core::lsn at, std::size_t size) const;
  /// The same bytes get the same changes, however often they come. Precondition: they were examined.
  void change(core::lsn at, core::bytes_span wal) const;

 private:
  struct byte_change {
    core::lsn at;
    std::uint8_t difference = 0;  ///< xor
  };
  /// False: a byte of it was passed on.
  bool take_path_out(const pg::wal::framed_record& of, std::string_view path, core::lsn passed);

  pg::wal::stream_decoder decoder_;
  pg::major_version major_;
  std::uint32_t segment_size_;
  pg::wal::record record_;
  std::vector<byte_change> changes_;  ///< in order
};

}  // namespace strata::actors::compute
