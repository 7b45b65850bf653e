#pragma once

#include <cstdint>
#include <span>

#include "core/bytes.hpp"
#include "pg/types.hpp"

namespace strata::pg::files {

/// Offsets in the transaction-status files (docs/formats/cluster_files.md). Pages are numbered through
/// all segments; a page is in segment page / pages_per_slru_segment.
inline constexpr std::uint32_t clog_xids_per_page = page_size * 4;
inline constexpr std::uint32_t multixact_offsets_per_page = page_size / 4;
inline constexpr std::uint32_t multixact_members_per_page = 1636;
/// 10 bytes each: the time (i64) and the replication origin (u16); the last two bytes of a page are unused.
inline constexpr std::uint32_t commit_timestamps_per_page = 819;
/// The members files wrap: segment 0 follows this one.
inline constexpr std::uint32_t multixact_members_segment_last = 82040;

struct slru_page {
  std::uint32_t segment = 0;
  std::uint32_t block = 0;  ///< in the segment
  auto operator<=>(const slru_page&) const = default;
};
constexpr slru_page slru_page_at(std::uint32_t page) {
  return {page / pages_per_slru_segment, page % pages_per_slru_segment};
}
constexpr std::uint32_t clog_page_of(transaction_id xid) { return xid / clog_xids_per_page; }
constexpr std::uint32_t multixact_offsets_page_of(multixact_id id) { return id / multixact_offsets_per_page; }
constexpr std::uint32_t multixact_members_page_of(std::uint32_t offset) { return offset / multixact_members_per_page; }
constexpr std::uint32_t commit_ts_page_of(transaction_id xid) { return xid / commit_timestamps_per_page; }

/// On-disk numbers, never renumber.
enum class clog_status : std::uint8_t { in_progress = 0, committed = 1, aborted = 2, sub_committed = 3 };

/// All change one page of page_size bytes (a checked precondition).
/// Only the low bits of an xid are used; the caller finds its page.
void set_clog_status(core::bytes_span page, transaction_id xid, clog_status status);
clog_status clog_status_of(core::bytes_view page, transaction_id xid);

void set_multixact_offset(core::bytes_span page, multixact_id id, std::uint32_t offset);
std::uint32_t multixact_offset_of(core::bytes_view page, multixact_id id);

struct multixact_member {
  transaction_id xid = 0;
  std::uint8_t status = 0;  ///< 0..5: key share, share, no-key update, update lock; no-key update, update
  auto operator<=>(const multixact_member&) const = default;
};
void set_multixact_member(core::bytes_span page, std::uint32_t offset, const multixact_member& member);
multixact_member multixact_member_at(core::bytes_view page, std::uint32_t offset);

/// When a transaction committed, and its replication origin.
struct commit_timestamp {
  timestamp time = 0;        ///< 0: not known
  std::uint16_t origin = 0;  ///< 0: this server
  auto operator<=>(const commit_timestamp&) const = default;
};
void set_commit_timestamp(core::bytes_span page, transaction_id xid, const commit_timestamp& value);
commit_timestamp commit_timestamp_of(core::bytes_view page, transaction_id xid);

/// How many members from `offset` on are on the same page; the last page before the numbers wrap is shorter.
std::uint32_t multixact_members_until_page_end(std::uint32_t offset);

/// Circular order of 32-bit transaction and multixact numbers: `a` is before `b`.
constexpr bool precedes(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

}  // namespace strata::pg::files
