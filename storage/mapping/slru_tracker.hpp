#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/records/slru.hpp"
#include "pg/types.hpp"
#include "storage/mapping/change_target.hpp"
#include "storage/strata_record.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage::mapping {

/// The transaction-status files: their segments, the number of pages of each, and their changes by WAL
/// (docs/formats/cluster_files.md). Segments are all in memory.
class slru_tracker {
 public:
  core::result<void> load(const timeline_store& store);

  void zero_page(pg::slru_kind kind, std::uint32_t page, const change_target& to);
  /// Sets one status for all transactions; the span's order changes.
  void set_status(transaction_status status, std::span<pg::transaction_id> xids, const change_target& to);
  /// The transactions committed together; the span's order changes.
  void set_commit_timestamps(const pg::files::commit_timestamp& value, std::span<pg::transaction_id> xids,
                             const change_target& to);
  /// Members, their offset, and that of the next multixact.
  void create_multixact(const pg::records::multixact_create& record, const change_target& to);
  /// Creates the page of offsets with `next`, a multixact that is not created yet but has an offset; the rest is zero.
  void zero_offsets_page(pg::multixact_id next, std::uint32_t offset, const change_target& to);

  /// Drops the segments that are wholly before `oldest_page`. `newest` is the next number to be assigned: nothing is
  /// dropped when that is before the page, because the page then is from another round.
  void truncate_clog(std::uint32_t oldest_page, pg::transaction_id newest, const change_target& to);
  void truncate_multixact_offsets(pg::multixact_id oldest, pg::multixact_id newest, const change_target& to);
  void truncate_multixact_members(std::uint32_t begin, std::uint32_t end, const change_target& to);
  void truncate_commit_ts(std::uint32_t oldest_page, pg::transaction_id newest, const change_target& to);
  /// Drops all of them: the source no longer tracks commit timestamps.
  void drop_commit_ts(const change_target& to);

 private:
  using segments = std::unordered_map<std::uint32_t, std::uint32_t>;  ///< number -> pages

  void set_offset(pg::multixact_id id, std::uint32_t offset, const change_target& to);
  /// Creates the page unless it exists; true if it did not.
  bool extend_over(pg::slru_kind kind, std::uint32_t page, const change_target& to);
  void drop_segment(pg::slru_kind kind, std::uint32_t segment, const change_target& to);
  template <class Before>
  void drop_segments(pg::slru_kind kind, const change_target& to, const Before& page_is_before);
  template <class Encode>
  void change_pages(pg::slru_kind kind, std::uint32_t xids_per_page, std::span<pg::transaction_id> xids,
                    const change_target& to, const Encode& encode);
  segments& of(pg::slru_kind kind) { return segments_[static_cast<std::size_t>(kind)]; }

  std::array<segments, pg::slru_kinds.size()> segments_;
  core::bytes payload_;
  std::vector<multixact_member> members_;
};

}  // namespace strata::storage::mapping
