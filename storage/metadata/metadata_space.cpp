#include "storage/metadata/metadata_space.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace strata::storage {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mebibyte = 1u << 20;
constexpr std::uint64_t reserve_bytes = 64 * mebibyte;
constexpr std::uint64_t last_reserve_bytes = 16 * mebibyte;

}  // namespace

core::result<void> check_metadata_space(const std::string& path, space_use use, std::string_view doing,
                                        std::uint64_t more) {
  std::error_code missing;
  const std::string place = fs::exists(path, missing) ? path : fs::path(path).parent_path().string();
  struct statvfs space {};
  if (::statvfs(place.c_str(), &space) != 0)
    return core::from_errno("metadata: look for free space in " + place, errno);
  const std::uint64_t size = std::uint64_t{space.f_blocks} * space.f_frsize;
  const std::uint64_t reserve =
      use == space_use::growing ? std::min(reserve_bytes, size / 8) : std::min(last_reserve_bytes, size / 32);
  const std::uint64_t wanted = reserve + more;
  if (std::uint64_t{space.f_bavail} * space.f_frsize >= wanted) return {};
  return core::error{core::errc::disk_full, "disk full: less than " +
                                                std::to_string((wanted + mebibyte - 1) / mebibyte) +
                                                " MiB left on the file system of " + place + "; " + std::string(doing)};
}

core::result<void> check_space_to_open(const std::string& database) {
  return check_metadata_space(database, space_use::opening, "the metadata can't be opened for writing",
                              bytes_in(database, ".log"));
}

std::uint64_t bytes_in(const std::string& directory, std::string_view ending) {
  std::uint64_t bytes = 0;
  std::error_code failed;
  for (fs::directory_iterator at(directory, failed), end; !failed && at != end; at.increment(failed)) {
    // A file may be gone again: RocksDB deletes what it does not need any more.
    std::error_code gone;
    if (!at->is_regular_file(gone) || !at->path().filename().string().ends_with(ending)) continue;
    const std::uintmax_t size = at->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace strata::storage
