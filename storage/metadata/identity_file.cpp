#include "storage/metadata/identity_file.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>

#include "io/file.hpp"

namespace strata::storage {

namespace {

constexpr std::array<std::uint8_t, 8> identity_magic{'S', 'T', 'R', 'A', 'T', 'A', '\r', '\n'};
constexpr std::size_t identity_size = 8 + 4 + 8;

core::bytes identity_content() {
  core::bytes content(identity_magic.begin(), identity_magic.end());
  core::append_le(content, directory_version);
  core::append_le<std::uint64_t>(content, XXH3_64bits(content.data(), content.size()));
  return content;
}

}  // namespace

core::result<void> write_identity_file(io::disk& on, const std::string& directory) {
  const std::string path = directory + "/STRATA";
  STRATA_ASSIGN(io::new_file created, io::new_file::create(path + io::temporary_suffix, on));
  STRATA_TRY(created.append(identity_content()));
  return created.commit(path);
}

core::result<void> check_identity_file(io::disk& on, const std::string& directory, bool in_use) {
  const std::string path = directory + "/STRATA";
  if (!on.exists(path)) {
    if (in_use) return core::error{core::errc::corrupt, "directory " + directory + " has no file STRATA"};
    return write_identity_file(on, directory);
  }
  STRATA_ASSIGN(const auto file, on.open_for_reading(path));
  core::bytes found(identity_size);
  STRATA_TRY(io::read_at(*file, 0, found, path));
  if (!std::equal(identity_magic.begin(), identity_magic.end(), found.begin()))
    return core::error{core::errc::corrupt, path + " does not mark a directory of Strata"};
  if (XXH3_64bits(found.data(), identity_size - 8) != core::load_le<std::uint64_t>(&found[identity_size - 8]))
    return core::error{core::errc::corrupt, path + " is damaged: wrong checksum"};
  const auto version = core::load_le<std::uint32_t>(&found[identity_magic.size()]);
  if (version != directory_version)
    return core::error{core::errc::unsupported, path + " has format version " + std::to_string(version) +
                                                    ", and this server supports only version " +
                                                    std::to_string(directory_version) + "; nothing was changed"};
  return {};
}

}  // namespace strata::storage
