#include "storage/side_files/side_file_content.hpp"

#include <lz4.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "io/file.hpp"
#include "storage/side_files/side_file_rules.hpp"

namespace strata::storage {

namespace {

constexpr std::array<std::uint8_t, 8> side_magic{'S', 't', 'S', 'i', 'd', 'e', '\r', '\n'};
constexpr std::uint32_t side_version = 1;
constexpr std::size_t checksum_size = 8;
/// Beside the content: magic, version, identity, sizes, checksum.
constexpr std::uint64_t frame_size_max = 4096;

enum class encoding : std::uint8_t { raw = 0, lz4 = 1 };

core::bytes packed(core::bytes_view content) {
  core::bytes made(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(content.size()))));
  const int size =
      LZ4_compress_default(reinterpret_cast<const char*>(content.data()), reinterpret_cast<char*>(made.data()),
                           static_cast<int>(content.size()), static_cast<int>(made.size()));
  made.resize(static_cast<std::size_t>(std::max(size, 0)));
  return made;
}

core::bytes identity_of(const core::tenant_id& tenant, const core::timeline_id& timeline, const side_file_record& of) {
  core::bytes made(side_magic.begin(), side_magic.end());
  core::append_le(made, side_version);
  core::append(made, tenant.value);
  core::append(made, timeline.value);
  core::append_le(made, of.number);
  core::append_le(made, of.generation.value);
  core::append_le(made, of.at.value);
  core::append_le(made, static_cast<std::uint32_t>(of.name.size()));
  made.insert(made.end(), of.name.begin(), of.name.end());
  return made;
}

core::result<core::bytes> unpacked(core::byte_reader& from, const side_file_record& of) {
  const auto damaged = [](const char* what) { return core::error{core::errc::corrupt, what}; };
  const auto how = static_cast<encoding>(from.le<std::uint8_t>());
  const auto size = from.le<std::uint64_t>();
  const core::bytes_view stored = from.take(from.left());
  if (!from.ok() || size != of.size) return damaged("it has another size than its record");
  core::bytes content(stored.begin(), stored.end());
  if (how == encoding::lz4) {
    content.assign(size, 0);
    const int made =
        LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(content.data()),
                            static_cast<int>(stored.size()), static_cast<int>(size));
    if (made < 0 || static_cast<std::uint64_t>(made) != size) return damaged("it does not decompress");
  } else if (how != encoding::raw) {
    return damaged("its encoding is unknown");
  }
  if (content.size() != size || side_file_checksum(content) != of.checksum)
    return damaged("its content is not that of its record");
  return content;
}

}  // namespace

std::uint64_t side_file_checksum(core::bytes_view content) { return XXH3_64bits(content.data(), content.size()); }

std::string side_file_name(const side_file_record& of) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%016llX__%s.side", static_cast<unsigned long long>(of.number),
                core::to_string(of.generation).c_str());
  return text.data();
}

core::bytes encode_side_file(const core::tenant_id& tenant, const core::timeline_id& timeline,
                             const side_file_record& of, core::bytes_view content) {
  core::bytes made = identity_of(tenant, timeline, of);
  const core::bytes small = packed(content);
  const bool compresses = !small.empty() && small.size() < content.size();
  made.push_back(static_cast<std::uint8_t>(compresses ? encoding::lz4 : encoding::raw));
  core::append_le<std::uint64_t>(made, content.size());
  core::append(made, compresses ? core::bytes_view(small) : content);
  core::append_le<std::uint64_t>(made, XXH3_64bits(made.data(), made.size()));
  return made;
}

core::result<core::bytes> read_side_file(io::disk& on, const std::string& path, const core::tenant_id& tenant,
                                         const core::timeline_id& timeline, const side_file_record& of) {
  const auto damaged = [&path](std::string_view what) {
    return core::error{core::errc::corrupt, "read side file " + path + ": " + std::string(what)};
  };
  if (const auto kind = side_file_kind_of(of.name); !kind || of.size > limits_of(*kind).size_max)
    return damaged("its record is impossible");
  auto stored = io::read_file(on, path, of.size + frame_size_max);
  if (!stored && stored.error().code == core::errc::not_found) return damaged("it is missing");
  if (!stored) return std::move(stored).error();
  if (stored->size() < checksum_size) return damaged("it is too short");
  const core::bytes_view body = core::bytes_view(*stored).first(stored->size() - checksum_size);
  if (core::load_le<std::uint64_t>(stored->data() + body.size()) != XXH3_64bits(body.data(), body.size()))
    return damaged("wrong checksum");
  core::byte_reader from(body);
  const core::bytes wanted = identity_of(tenant, timeline, of);
  if (!std::ranges::equal(from.take(wanted.size()), wanted)) return damaged("it is another file, or of another format");
  auto content = unpacked(from, of);
  if (!content) return damaged(content.error().detail);
  return content;
}

}  // namespace strata::storage
