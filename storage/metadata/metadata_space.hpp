#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "io/disk.hpp"

namespace strata::storage {

/// RocksDB must never run out of space. A failed write for lack of space breaks it until the next start, even if space
/// becomes free (its issue 11643), and a failed open ends the process if RocksDB was built with assertions, like
/// Debian's. So the space is checked first, and a write that would not fit is refused.
enum class space_use : std::uint8_t {
  growing,  ///< an edit that adds records: refused first
  freeing,  ///< an edit that helps to free space: may use most of the reserve
  opening,  ///< like freeing, for RocksDB's own files when it is opened for writing
};

/// errc::disk_full names the file system and the room that was wanted: the reserve for this use, which is smaller on a
/// small file system, and `more` bytes. `path` need not exist if its parent does.
core::result<void> check_metadata_space(io::disk& on, const std::string& path, space_use use, std::string_view doing,
                                        std::uint64_t more = 0);

/// The same for the database in this directory, whether it exists or not: the content of its log becomes tables.
core::result<void> check_space_to_open(io::disk& on, const std::string& database);

/// Size of the files directly in a directory whose names end so; 0 when there is no directory.
std::uint64_t bytes_in(io::disk& on, const std::string& directory, std::string_view ending = "");

}  // namespace strata::storage
