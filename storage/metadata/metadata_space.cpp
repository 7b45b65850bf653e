#include "storage/metadata/metadata_space.hpp"

#include <algorithm>
#include <vector>

#include "io/file.hpp"

namespace strata::storage {

namespace {

constexpr std::uint64_t mebibyte = 1u << 20;
constexpr std::uint64_t reserve_bytes = 64 * mebibyte;
constexpr std::uint64_t last_reserve_bytes = 16 * mebibyte;

}  // namespace

core::result<void> check_metadata_space(io::disk& on, const std::string& path, space_use use, std::string_view doing,
                                        std::uint64_t more) {
  const std::string place = on.exists(path) ? path : io::parent_of(path);
  auto size_of_disk = on.size_bytes(place);
  if (!size_of_disk) return std::move(size_of_disk).error().within("metadata: check free space");
  const std::uint64_t size = *size_of_disk;
  STRATA_ASSIGN(const std::uint64_t left, on.free_bytes(place));
  const std::uint64_t reserve =
      use == space_use::growing ? std::min(reserve_bytes, size / 8) : std::min(last_reserve_bytes, size / 32);
  const std::uint64_t wanted = reserve + more;
  if (left >= wanted) return {};
  return core::error{core::errc::disk_full, "disk full: less than " +
                                                std::to_string((wanted + mebibyte - 1) / mebibyte) +
                                                " MiB left on the file system of " + place + "; " + std::string(doing)};
}

core::result<void> check_space_to_open(io::disk& on, const std::string& database) {
  return check_metadata_space(on, database, space_use::opening, "the metadata can't be opened for writing",
                              bytes_in(on, database, ".log"));
}

std::uint64_t bytes_in(io::disk& on, const std::string& directory, std::string_view ending) {
  std::uint64_t bytes = 0;
  const auto names = on.list(directory);
  if (!names) return bytes;
  for (const std::string& name : *names) {
    if (!name.ends_with(ending)) continue;
    // The file may be gone: RocksDB deletes obsolete files.
    if (const auto size = on.file_size(directory + "/" + name)) bytes += *size;
  }
  return bytes;
}

}  // namespace strata::storage
