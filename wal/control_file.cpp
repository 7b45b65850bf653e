#include "wal/control_file.hpp"

#include <xxhash.h>

#include <array>

namespace strata::wal {
namespace {

constexpr std::uint32_t magic = 0x46435453;  // "STCF"
constexpr std::uint32_t format_version = 1;
constexpr std::size_t head_size = 12;
constexpr std::size_t checksum_size = 8;

core::error corrupt(const std::string& path, const std::string& why) {
  return {core::errc::corrupt, "read " + path + ": " + why};
}

}  // namespace

core::result<void> replace_control_file(io::disk& on, const std::string& directory, const std::string& name,
                                        core::bytes_view payload) {
  const auto path = directory + "/" + name;
  if (payload.size() > control_payload_max)
    return core::error{core::errc::invalid_argument, "replace " + path + ": " + std::to_string(payload.size()) +
                                                         " bytes are too many for a control file"};
  core::bytes content;
  content.reserve(head_size + payload.size() + checksum_size);
  core::append_le(content, magic);
  core::append_le(content, format_version);
  core::append_le(content, static_cast<std::uint32_t>(payload.size()));
  core::append(content, payload);
  core::append_le(content, static_cast<std::uint64_t>(XXH3_64bits(content.data(), content.size())));

  const auto temporary = path + ".tmp";
  const auto write = [&]() -> core::result<void> {
    STRATA_TRY(on.remove(temporary));
    STRATA_ASSIGN(const auto file, on.create(temporary));
    const std::array<core::bytes_view, 1> parts{content};
    STRATA_TRY(file->write(0, parts));
    file->sync();
    return on.rename(temporary, path);
  };
  if (auto written = write(); !written) {
    // A left-over costs a few KiB until the next attempt removes it.
    (void)on.remove(temporary).has_value();
    return std::move(written).error();
  }
  on.sync_directory(directory);
  return {};
}

core::result<core::bytes> read_control_file(io::disk& on, const std::string& directory, const std::string& name) {
  const auto path = directory + "/" + name;
  STRATA_ASSIGN(const auto file, on.open(path));
  STRATA_ASSIGN(const auto size, file->size());
  if (size < head_size + checksum_size || size > head_size + control_payload_max + checksum_size)
    return corrupt(path, "a control file does not have " + std::to_string(size) + " bytes");
  core::bytes content(size);
  STRATA_ASSIGN(const auto got, file->read(0, content));
  if (got != size) return corrupt(path, "it ends at offset " + std::to_string(got));
  core::byte_reader head(content);
  if (head.le<std::uint32_t>() != magic) return corrupt(path, "at offset 0: it is no control file");
  const auto version = head.le<std::uint32_t>();
  const auto length = head.le<std::uint32_t>();
  const auto checked = size - checksum_size;
  const bool sound = XXH3_64bits(content.data(), checked) == core::load_le<std::uint64_t>(content.data() + checked);
  if (sound && version != format_version)
    return core::error{core::errc::unsupported, "read " + path + ": its format is " + std::to_string(version) +
                                                    ", known is " + std::to_string(format_version)};
  if (!sound) return corrupt(path, "at offset " + std::to_string(checked) + ": its checksum does not match its bytes");
  if (length != checked - head_size)
    return corrupt(
        path, "at offset 8: a payload of " + std::to_string(length) + " bytes in a file of " + std::to_string(size));
  return core::bytes(content.begin() + head_size, content.end() - checksum_size);
}

}  // namespace strata::wal
