#include "pg/files/relation_map.hpp"

#include "pg/crc32c.hpp"

namespace strata::pg::files {
namespace {

constexpr std::uint32_t magic = 0x592717;
constexpr std::size_t header_size = 8;
constexpr std::size_t mapping_size = 8;

}  // namespace

core::result<std::vector<relation_mapping>> decode_relation_map_file(core::bytes_view content, major_version major) {
  const std::size_t places = major >= major_version::v16 ? 64 : 62;
  const std::size_t crc_offset = header_size + places * mapping_size;
  const std::size_t size = crc_offset + (major >= major_version::v16 ? 4 : 8);
  if (content.size() != size)
    return core::error{core::errc::corrupt,
                       "pg_filenode.map has " + std::to_string(content.size()) + " bytes, not " + std::to_string(size)};
  const auto count = core::load_le<std::uint32_t>(content.data() + 4);
  if (core::load_le<std::uint32_t>(content.data()) != magic || count > places)
    return core::error{core::errc::corrupt, "pg_filenode.map is none"};
  if (crc32c(content.first(crc_offset)) != core::load_le<std::uint32_t>(content.data() + crc_offset))
    return core::error{core::errc::corrupt, "pg_filenode.map has a wrong checksum"};
  std::vector<relation_mapping> mappings(count);
  const std::uint8_t* from = content.data() + header_size;
  for (relation_mapping& each : mappings) {
    each = {core::load_le<std::uint32_t>(from), core::load_le<std::uint32_t>(from + 4)};
    from += mapping_size;
  }
  return mappings;
}

}  // namespace strata::pg::files
