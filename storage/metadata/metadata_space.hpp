#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "io/disk.hpp"

namespace strata::storage {

/// RocksDB must never run out of space: a write that fails for want of it leaves it broken until the next start, even
/// if space becomes free (its issue 11643), and an open that fails so ends the process when RocksDB was built with
/// assertions, as Debian's is. So the space is looked at before, and what would not fit is refused.
enum class space_use : std::uint8_t {
  growing,  ///< an edit that adds records: refused first
  freeing,  ///< an edit that helps to free space: may use most of what is left then
  opening,  ///< the same for RocksDB's own files, when it is opened for writing
};

/// errc::disk_full names the file system and how much room was wanted: the reserve for this use, which is smaller on a
/// small file system, and `more` bytes. `path` need not exist if its parent does.
core::result<void> check_metadata_space(io::disk& on, const std::string& path, space_use use, std::string_view doing,
                                        std::uint64_t more = 0);

/// The same for the database in this directory, whether it is there yet or not: what is in its log becomes tables.
core::result<void> check_space_to_open(io::disk& on, const std::string& database);

/// Of the files right below a directory, those whose names end so; 0 when there is no directory.
std::uint64_t bytes_in(io::disk& on, const std::string& directory, std::string_view ending = "");

}  // namespace strata::storage
