#include "actors/compute/stream_guard.hpp"

#include <variant>

#include "core/check.hpp"
#include "pg/records/storage.hpp"

namespace strata::actors::compute {
namespace {

// src/include/access/xlogrecord.h
constexpr std::size_t manager_offset = 17;

}  // namespace

stream_guard::stream_guard(core::lsn start, pg::major_version major, std::uint32_t segment_size,
                           std::uint64_t system_id)
    : decoder_({.start = start, .major = major, .segment_size = segment_size, .system_id = system_id}), major_(major) {}

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
    if (created != nullptr && !created->path.empty())
      return std::optional<refusal>({framed->end, std::string(created->path)});
  }
}

}  // namespace strata::actors::compute
