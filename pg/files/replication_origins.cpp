#include "pg/files/replication_origins.hpp"

#include <string>

#include "pg/crc32c.hpp"

namespace strata::pg::files {
namespace {

constexpr std::uint32_t magic = 0x1257DADE;
constexpr std::size_t entry_size = 16;
constexpr std::size_t entry_padding = 6;
constexpr std::size_t frame_size = 8;

}  // namespace

core::result<std::vector<origin_progress>> decode_replication_origins(core::bytes_view file) {
  const auto corrupt = [](const char* what) {
    return core::error{core::errc::corrupt, std::string("read replorigin_checkpoint: ") + what};
  };
  if (file.size() < frame_size || (file.size() - frame_size) % entry_size != 0) return corrupt("odd length");
  if (core::load_le<std::uint32_t>(file.data()) != magic) return corrupt("wrong magic number");
  const core::bytes_view covered = file.first(file.size() - 4);
  if (crc32c(covered) != core::load_le<std::uint32_t>(file.data() + covered.size())) return corrupt("wrong checksum");
  core::byte_reader reader(covered.subspan(4));
  std::vector<origin_progress> origins;
  while (reader.left() != 0) {
    origin_progress progress;
    progress.origin = reader.le<std::uint16_t>();
    reader.skip(entry_padding);
    progress.remote = core::lsn(reader.le<std::uint64_t>());
    origins.push_back(progress);
  }
  return origins;
}

core::bytes encode_replication_origins(const std::vector<origin_progress>& origins) {
  core::bytes to;
  core::append_le(to, magic);
  for (const origin_progress& progress : origins) {
    core::append_le(to, progress.origin);
    to.resize(to.size() + entry_padding);
    core::append_le(to, progress.remote.value);
  }
  core::append_le(to, crc32c(to));
  return to;
}

}  // namespace strata::pg::files
