#include "pg/files/two_phase.hpp"

#include <string>

#include "pg/crc32c.hpp"

namespace strata::pg::files {
namespace {

constexpr std::size_t crc_size = 4;
/// Magic number and total length come first.
constexpr std::size_t header_size_min = 40;

}  // namespace

core::result<core::bytes_view> decode_two_phase_file(core::bytes_view file) {
  const auto corrupt = [](std::string what) {
    return core::error{core::errc::corrupt, "read two-phase file: " + std::move(what)};
  };
  if (file.size() < header_size_min + crc_size) return corrupt("only " + std::to_string(file.size()) + " bytes");
  const core::bytes_view main_data = file.first(file.size() - crc_size);
  if (crc32c(main_data) != core::load_le<std::uint32_t>(file.data() + main_data.size()))
    return corrupt("checksum does not match the contents");
  const auto total = core::load_le<std::uint32_t>(file.data() + 4);
  if (total != file.size())
    return corrupt("the header's length is " + std::to_string(total) + " bytes, file has " +
                   std::to_string(file.size()));
  return main_data;
}

core::bytes encode_two_phase_file(core::bytes_view main_data) {
  core::bytes to(main_data.begin(), main_data.end());
  core::append_le(to, crc32c(main_data));
  return to;
}

}  // namespace strata::pg::files
