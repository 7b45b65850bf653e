#include "actors/compute/stream_guard.hpp"

#include <algorithm>
#include <array>
#include <variant>

#include "core/check.hpp"
#include "pg/crc32c.hpp"
#include "pg/records/storage.hpp"
#include "pg/wal/record_position.hpp"

namespace strata::actors::compute {
namespace {

// src/include/access/xlogrecord.h
constexpr std::size_t manager_offset = 17;
constexpr std::size_t crc_offset = 20;
constexpr std::size_t crc_size = 4;
constexpr std::size_t changes_per_tablespace = crc_size + 1;

}  // namespace

stream_guard::stream_guard(core::lsn start, pg::major_version major, std::uint32_t segment_size,
                           std::uint64_t system_id)
    : decoder_({.start = start, .major = major, .segment_size = segment_size, .system_id = system_id}),
      major_(major),
      segment_size_(segment_size) {}

core::result<std::optional<stream_guard::refusal>> stream_guard::examine(core::lsn at, core::bytes_view wal) {
  const core::lsn known = decoder_.position();
  if (at + wal.size() <= known) return std::optional<refusal>();
  core::check(at <= known, "the stream of a standby has no gaps");
  decoder_.feed(wal.subspan(known - at));
  for (;;) {
    STRATA_ASSIGN(const auto framed, decoder_.next());
    if (!framed) return std::optional<refusal>();
    if (framed->bytes[manager_offset] != static_cast<std::uint8_t>(pg::wal::resource_manager::tablespace)) continue;
    STRATA_TRY(pg::wal::parse_record(framed->bytes, framed->start, framed->end, major_, record_));
    STRATA_ASSIGN(const auto change, pg::records::decode_tablespace(record_));
    const auto* created = std::get_if<pg::records::tablespace_create>(&change);
    if (created == nullptr || created->path.empty()) continue;
    if (!take_path_out(*framed, created->path, known))
      return std::optional<refusal>({framed->end, std::string(created->path)});
  }
}

bool stream_guard::take_path_out(const pg::wal::framed_record& of, std::string_view path, core::lsn passed) {
  // Not all releases of 14 can replay a tablespace inside the data directory.
  if (major_ < pg::major_version::v15 || changes_.size() >= tablespaces_max * changes_per_tablespace) return false;
  const auto position_of = [&](std::size_t byte) { return pg::wal::position_in_record(of.start, byte, segment_size_); };
  if (position_of(crc_offset) < passed) return false;
  const auto path_offset =
      static_cast<std::size_t>(reinterpret_cast<const std::uint8_t*>(path.data()) - of.bytes.data());
  // CRC-32C is linear: the difference of two records of one length is that of their CRCs.
  core::bytes difference(of.bytes.size());
  difference[path_offset] = of.bytes[path_offset];
  const std::uint32_t crc =
      pg::crc32c_update(pg::crc32c_update(0, core::bytes_view(difference).subspan(pg::wal::record_header_size)),
                        core::bytes_view(difference).first(crc_offset));
  for (std::size_t i = 0; i < crc_size; ++i)
    changes_.push_back({position_of(crc_offset + i), static_cast<std::uint8_t>(crc >> (8 * i))});
  changes_.push_back({position_of(path_offset), of.bytes[path_offset]});
  return true;
}

bool stream_guard::changes(core::lsn at, std::size_t size) const {
  const auto first = std::ranges::lower_bound(changes_, at, {}, &byte_change::at);
  return first != changes_.end() && first->at < at + size;
}

void stream_guard::change(core::lsn at, core::bytes_span wal) const {
  const auto first = std::ranges::lower_bound(changes_, at, {}, &byte_change::at);
  for (auto each = first; each != changes_.end() && each->at < at + wal.size(); ++each)
    wal[each->at - at] ^= each->difference;
}

}  // namespace strata::actors::compute
