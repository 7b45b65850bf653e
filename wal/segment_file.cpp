#include "wal/segment_file.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "core/check.hpp"

namespace strata::wal {
namespace {

constexpr std::uint32_t segment_magic = 0x474C5453;  // "STLG"
constexpr std::uint32_t format_version = 1;
constexpr std::size_t header_checksum_offset = segment_header_size - 8;
constexpr std::uint16_t frame_magic = 0xF5A3;
/// Not zero: distinguishes a frame's last sector from one that was never written.
constexpr std::uint8_t padding_byte = 0xA5;
constexpr std::uint32_t postgres_timeline = 1;
constexpr std::uint64_t names_per_id = 1ull << 32;
constexpr std::size_t read_ahead_bytes = 64u << 10;

bool all_zero(core::bytes_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

/// How many sectors after the one with the frame's header have only zeros in the frame's part of them.
std::uint32_t count_zero_sectors(std::uint64_t offset, core::bytes_view whole) {
  std::uint32_t count = 0;
  for (auto at = sector_size - offset % sector_size; at < whole.size(); at += sector_size)
    count += all_zero(whole.subspan(at, std::min<std::size_t>(sector_size, whole.size() - at))) ? 1 : 0;
  return count;
}

core::error corrupt_header(const std::string& why) { return {core::errc::corrupt, "at offset 0: " + why}; }

}  // namespace

core::bytes encode(const segment_identity& of) {
  core::bytes to;
  to.reserve(segment_header_size);
  core::append_le(to, segment_magic);
  core::append_le(to, format_version);
  core::append(to, of.tenant.value);
  core::append(to, of.timeline.value);
  core::append_le(to, of.start.value);
  core::append_le(to, of.begin.value);
  core::append_le(to, of.epoch);
  core::append_le(to, of.segment_size);
  to.resize(header_checksum_offset);
  core::append_le(to, static_cast<std::uint64_t>(XXH3_64bits(to.data(), to.size())));
  return to;
}

core::result<segment_identity> decode_segment_header(core::bytes_view from) {
  if (from.size() < segment_header_size) return corrupt_header("the header is cut off");
  core::byte_reader reader(from);
  if (reader.le<std::uint32_t>() != segment_magic) return corrupt_header("it is no segment of a log");
  const auto version = reader.le<std::uint32_t>();
  if (XXH3_64bits(from.data(), header_checksum_offset) !=
      core::load_le<std::uint64_t>(from.data() + header_checksum_offset))
    return corrupt_header("the header's checksum does not match its bytes");
  if (version != format_version)
    return core::error{core::errc::unsupported,
                       "its format is " + std::to_string(version) + ", known is " + std::to_string(format_version)};
  segment_identity found;
  std::ranges::copy(reader.take(16), found.tenant.value.begin());
  std::ranges::copy(reader.take(16), found.timeline.value.begin());
  found.start = core::lsn(reader.le<std::uint64_t>());
  found.begin = core::lsn(reader.le<std::uint64_t>());
  found.epoch = reader.le<std::uint64_t>();
  found.segment_size = reader.le<std::uint32_t>();
  return found;
}

std::string segment_file_name(core::lsn start, std::uint32_t segment_size) {
  const auto number = start.value / segment_size;
  const auto per_id = names_per_id / segment_size;
  std::array<char, 25> text{};
  std::snprintf(text.data(), text.size(), "%08X%08X%08X", postgres_timeline, static_cast<unsigned>(number / per_id),
                static_cast<unsigned>(number % per_id));
  return std::string(text.data()) + std::string(segment_file_suffix);
}

std::optional<core::lsn> parse_segment_file_name(const std::string& name, std::uint32_t segment_size) {
  constexpr std::size_t digits = 24;
  if (name.size() != digits + segment_file_suffix.size() || !name.ends_with(segment_file_suffix)) return std::nullopt;
  std::array<std::uint32_t, 3> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const char* const first = name.data() + i * 8;
    const auto [end, problem] = std::from_chars(first, first + 8, parts[i], 16);
    if (problem != std::errc() || end != first + 8) return std::nullopt;
  }
  const core::lsn start((parts[1] * (names_per_id / segment_size) + parts[2]) * segment_size);
  if (segment_file_name(start, segment_size) != name) return std::nullopt;
  return start;
}

frame_codec::frame_codec(const segment_identity& of) {
  const auto header = wal::encode(of);
  identity_ = XXH3_64bits(header.data(), header.size());
}

std::uint64_t frame_codec::seed(std::uint64_t offset) const { return identity_ ^ offset * 0x9E3779B97F4A7C15u; }

void frame_codec::encode(core::lsn lsn, core::lsn durable, std::uint64_t offset, core::bytes_view payload,
                         core::bytes& into) const {
  core::check(!payload.empty() && payload.size() <= frame_payload_max && durable <= lsn,
              "a frame is within its limits");
  into.assign(frame_size(payload.size()), padding_byte);
  std::memcpy(into.data() + frame_header_size, payload.data(), payload.size());
  core::store_le(into.data(), frame_magic);
  // The head is in the first sector, which is not counted; so it may be written last.
  core::store_le(into.data() + 2, static_cast<std::uint16_t>(count_zero_sectors(offset, into)));
  core::store_le(into.data() + 4, static_cast<std::uint32_t>(payload.size()));
  core::store_le(into.data() + 8, lsn.value);
  core::store_le(into.data() + 16, static_cast<std::uint32_t>(lsn - durable));
  const auto body = core::bytes_view(into).subspan(frame_header_size);
  core::store_le(into.data() + 24,
                 static_cast<std::uint64_t>(XXH3_64bits_withSeed(body.data(), body.size(), seed(offset))));
  core::store_le(into.data() + 20, std::uint32_t{0});
  core::store_le(into.data() + 20,
                 static_cast<std::uint32_t>(XXH3_64bits_withSeed(into.data(), frame_header_size, seed(offset))));
}

std::optional<frame_codec::head> frame_codec::decode_head(std::uint64_t offset, core::bytes_view from) const {
  if (core::load_le<std::uint16_t>(from.data()) != frame_magic) return std::nullopt;
  std::array<std::uint8_t, frame_header_size> copy{};
  std::copy_n(from.begin(), copy.size(), copy.begin());
  core::store_le(copy.data() + 20, std::uint32_t{0});
  if (static_cast<std::uint32_t>(XXH3_64bits_withSeed(copy.data(), copy.size(), seed(offset))) !=
      core::load_le<std::uint32_t>(from.data() + 20))
    return std::nullopt;
  head found;
  found.zero_sectors = core::load_le<std::uint16_t>(from.data() + 2);
  found.length = core::load_le<std::uint32_t>(from.data() + 4);
  found.lsn = core::lsn(core::load_le<std::uint64_t>(from.data() + 8));
  const auto behind = core::load_le<std::uint32_t>(from.data() + 16);
  if (found.length == 0 || found.length > frame_payload_max || behind > found.lsn.value) return std::nullopt;
  found.durable = found.lsn - behind;
  found.payload_checksum = core::load_le<std::uint64_t>(from.data() + 24);
  return found;
}

bool frame_codec::sound(const head& of, std::uint64_t offset, core::bytes_view whole) const {
  const auto body = whole.subspan(frame_header_size);
  return XXH3_64bits_withSeed(body.data(), body.size(), seed(offset)) == of.payload_checksum;
}

frame_scanner::frame_scanner(const io::file& from, const segment_identity& of, std::uint64_t offset, core::lsn lsn,
                             std::uint64_t offset_end)
    : file_(from), identity_(of), codec_(of), offset_(offset), lsn_(lsn), offset_end_(offset_end) {}

/// Up to `size` bytes at `offset`.
core::result<core::bytes_view> frame_scanner::window(std::uint64_t offset, std::size_t size) {
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, offset_end_ - std::min(offset, offset_end_)));
  const bool inside = offset >= buffer_offset_ && offset + size <= buffer_offset_ + buffer_filled_;
  if (!inside) {
    const auto ahead = std::min<std::uint64_t>(std::max(size, read_ahead_bytes), offset_end_ - offset);
    if (buffer_.size() < ahead) buffer_.resize(ahead);
    STRATA_ASSIGN(buffer_filled_, file_.read(offset, core::bytes_span(buffer_).first(ahead)));
    buffer_offset_ = offset;
  }
  const auto at = static_cast<std::size_t>(offset - buffer_offset_);
  return core::bytes_view(buffer_).subspan(at, std::min(size, buffer_filled_ - at));
}

core::result<std::optional<frame>> frame_scanner::next() {
  if (stopped_ != stop::none) return std::optional<frame>();
  STRATA_ASSIGN(const auto first, window(offset_, frame_header_size));
  if (first.size() < frame_header_size || all_zero(first)) {
    stopped_ = stop::untouched;
    return std::optional<frame>();
  }
  // Headers lie within one sector: one that is neither zeros nor sound was not left by a crash.
  const auto head = codec_.decode_head(offset_, first);
  if (!head || head->lsn != lsn_ || lsn_ + head->length > identity_.start + identity_.segment_size) {
    stopped_ = stop::damaged;
    return std::optional<frame>();
  }
  const auto size = frame_size(head->length);
  STRATA_ASSIGN(const auto whole, window(offset_, size));
  if (whole.size() < size || !codec_.sound(*head, offset_, whole)) {
    stopped_ = judge(offset_, *head, whole);
    return std::optional<frame>();
  }
  frame found{.lsn = lsn_,
              .durable = head->durable,
              .payload = whole.subspan(frame_header_size, head->length),
              .size_bytes = size};
  offset_ += size;
  lsn_ = lsn_ + head->length;
  return std::optional<frame>(found);
}

frame_scanner::stop frame_scanner::judge(std::uint64_t offset, const frame_codec::head& head,
                                         core::bytes_view whole) const {
  // The file grows before a frame is written: a file that ends inside a frame has lost its end.
  if (whole.size() < frame_size(head.length)) return stop::damaged;
  return count_zero_sectors(offset, whole) > head.zero_sectors ? stop::torn : stop::damaged;
}

core::result<frame_scanner::remains> frame_scanner::search_rest(core::lsn lost) {
  remains found;
  for (auto at = offset_; at < offset_end_; at += frame_alignment) {
    STRATA_ASSIGN(const auto bytes, window(at, frame_header_size));
    if (!all_zero(bytes)) found.all_zero = false;
    if (bytes.size() < frame_header_size) break;
    if (const auto head = codec_.decode_head(at, bytes); head && head->durable > lost) {
      found.proof = at;
      break;
    }
  }
  return found;
}

}  // namespace strata::wal
