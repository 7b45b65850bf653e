#include "storage/mapping/slru_tracker.hpp"

#include <algorithm>

#include "pg/files/slru.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/directory.hpp"

namespace strata::storage::mapping {

using namespace pg::files;
using pg::slru_kind;

namespace {

/// Postgres compares pages by a number in them, skipping the first few numbers because they are special.
bool page_precedes(std::uint32_t page, std::uint32_t other, std::uint32_t numbers_per_page, std::uint32_t first) {
  const std::uint32_t a = page * numbers_per_page + first;
  const std::uint32_t b = other * numbers_per_page + first;
  return precedes(a, b) && precedes(a, b + numbers_per_page - 1);
}

/// Of clog and commit timestamps.
constexpr std::uint32_t xid_first_number = 4;
constexpr std::uint32_t multixact_first_number = 2;

}  // namespace

core::result<void> slru_tracker::load(const timeline_store& store) {
  for (const slru_kind kind : pg::slru_kinds) {
    STRATA_ASSIGN(const auto found, slru_segments(store, kind, store.last_record_lsn()));
    for (const slru_segment_entry& each : found) of(kind).emplace(each.segment, each.pages);
  }
  return {};
}

bool slru_tracker::extend_over(slru_kind kind, std::uint32_t page, const change_target& to) {
  const auto [segment, block] = slru_page_at(page);
  std::uint32_t& pages = of(kind)[segment];
  if (block < pages) return false;
  for (std::uint32_t gap = pages; gap < block; ++gap)
    to.put_zero_page(slru_page_key(kind, segment * pg::pages_per_slru_segment + gap));
  pages = block + 1;
  to.put_number(slru_catalog_key(kind, segment), pages);
  return true;
}

void slru_tracker::zero_page(slru_kind kind, std::uint32_t page, const change_target& to) {
  extend_over(kind, page, to);
  to.put_zero_page(slru_page_key(kind, page));
}

/// One change a page for all its transactions.
template <class Encode>
void slru_tracker::change_pages(slru_kind kind, std::uint32_t xids_per_page, std::span<pg::transaction_id> xids,
                                const change_target& to, const Encode& encode) {
  std::sort(xids.begin(), xids.end());
  // No record names a transaction twice; if a damaged one does, a page still has no more of them than fit.
  xids = xids.first(static_cast<std::size_t>(std::unique(xids.begin(), xids.end()) - xids.begin()));
  while (!xids.empty()) {
    const std::uint32_t page = xids.front() / xids_per_page;
    std::size_t count = 1;
    while (count < xids.size() && xids[count] / xids_per_page == page) ++count;
    const bool fresh = extend_over(kind, page, to);
    payload_.clear();
    encode(xids.first(count));
    to.put_strata_record(slru_page_key(kind, page), fresh, payload_);
    xids = xids.subspan(count);
  }
}

void slru_tracker::set_status(transaction_status status, std::span<pg::transaction_id> xids, const change_target& to) {
  change_pages(slru_kind::clog, clog_xids_per_page, xids, to,
               [&](std::span<const pg::transaction_id> on_page) { encode_clog_status(payload_, status, on_page); });
}

void slru_tracker::set_commit_timestamps(const commit_timestamp& value, std::span<pg::transaction_id> xids,
                                         const change_target& to) {
  change_pages(
      slru_kind::commit_ts, commit_timestamps_per_page, xids, to,
      [&](std::span<const pg::transaction_id> on_page) { encode_commit_timestamps(payload_, value, on_page); });
}

void slru_tracker::set_offset(pg::multixact_id id, std::uint32_t offset, const change_target& to) {
  const std::uint32_t page = multixact_offsets_page_of(id);
  const bool fresh = extend_over(slru_kind::multixact_offsets, page, to);
  payload_.clear();
  encode_multixact_offset(payload_, id, offset);
  to.put_strata_record(slru_page_key(slru_kind::multixact_offsets, page), fresh, payload_);
}

void slru_tracker::create_multixact(const pg::records::multixact_create& record, const change_target& to) {
  const auto count = static_cast<std::uint32_t>(record.members.size());
  const pg::multixact_id next = record.id + 1 == 0 ? 1 : record.id + 1;
  // 0 as an offset means "not set": the members of the first multixact of a round begin at 1.
  const std::uint32_t next_offset = record.offset + count == 0 ? 1 : record.offset + count;
  const std::uint32_t page = multixact_offsets_page_of(record.id);
  if (multixact_offsets_page_of(next) == page) {
    const bool fresh = extend_over(slru_kind::multixact_offsets, page, to);
    payload_.clear();
    encode_multixact_offset(payload_, record.id, record.offset);
    encode_multixact_offset(payload_, next, next_offset);
    to.put_strata_record(slru_page_key(slru_kind::multixact_offsets, page), fresh, payload_);
  } else {
    set_offset(record.id, record.offset, to);
    set_offset(next, next_offset, to);
  }
  std::uint32_t offset = record.offset;
  for (std::uint32_t done = 0; done < count;) {
    const std::uint32_t on_page = std::min(count - done, multixact_members_until_page_end(offset));
    members_.clear();
    for (std::uint32_t i = done; i < done + on_page; ++i)
      members_.push_back({record.members[i].xid, record.members[i].status});
    const std::uint32_t members_page = multixact_members_page_of(offset);
    const bool fresh = extend_over(slru_kind::multixact_members, members_page, to);
    payload_.clear();
    encode_multixact_members(payload_, offset, members_);
    to.put_strata_record(slru_page_key(slru_kind::multixact_members, members_page), fresh, payload_);
    done += on_page;
    offset += on_page;
  }
}

void slru_tracker::zero_offsets_page(pg::multixact_id next, std::uint32_t offset, const change_target& to) {
  const std::uint32_t page = multixact_offsets_page_of(next);
  extend_over(slru_kind::multixact_offsets, page, to);
  payload_.clear();
  encode_multixact_offset(payload_, next, offset == 0 ? 1 : offset);
  to.put_strata_record(slru_page_key(slru_kind::multixact_offsets, page), true, payload_);
}

void slru_tracker::drop_segment(slru_kind kind, std::uint32_t segment, const change_target& to) {
  if (of(kind).erase(segment) > 0) to.put_tombstone(slru_catalog_key(kind, segment));
}

template <class Before>
void slru_tracker::drop_segments(slru_kind kind, const change_target& to, const Before& page_is_before) {
  std::vector<std::uint32_t> dropped;
  for (const auto& [segment, pages] : of(kind)) {
    const std::uint32_t first = segment * pg::pages_per_slru_segment;
    if (page_is_before(first) && page_is_before(first + pg::pages_per_slru_segment - 1)) dropped.push_back(segment);
  }
  for (const std::uint32_t segment : dropped) drop_segment(kind, segment, to);
}

void slru_tracker::truncate_clog(std::uint32_t oldest_page, pg::transaction_id newest, const change_target& to) {
  const auto before = [&](std::uint32_t page) {
    return page_precedes(page, oldest_page, clog_xids_per_page, xid_first_number);
  };
  if (!before(clog_page_of(newest))) drop_segments(slru_kind::clog, to, before);
}

void slru_tracker::truncate_multixact_offsets(pg::multixact_id oldest, pg::multixact_id newest,
                                              const change_target& to) {
  const pg::multixact_id last_to_go = oldest <= 1 ? ~0u : oldest - 1;
  const std::uint32_t oldest_page = multixact_offsets_page_of(last_to_go);
  const auto before = [&](std::uint32_t page) {
    return page_precedes(page, oldest_page, multixact_offsets_per_page, multixact_first_number);
  };
  if (!before(multixact_offsets_page_of(newest))) drop_segments(slru_kind::multixact_offsets, to, before);
}

void slru_tracker::truncate_multixact_members(std::uint32_t begin, std::uint32_t end, const change_target& to) {
  const auto segment_of = [](std::uint32_t offset) { return slru_page_at(multixact_members_page_of(offset)).segment; };
  const std::uint32_t last = segment_of(end);
  for (std::uint32_t segment = segment_of(begin); segment != last;) {
    drop_segment(slru_kind::multixact_members, segment, to);
    segment = segment == multixact_members_segment_last ? 0 : segment + 1;
  }
}

void slru_tracker::truncate_commit_ts(std::uint32_t oldest_page, pg::transaction_id newest, const change_target& to) {
  const auto before = [&](std::uint32_t page) {
    return page_precedes(page, oldest_page, commit_timestamps_per_page, xid_first_number);
  };
  if (!before(commit_ts_page_of(newest))) drop_segments(slru_kind::commit_ts, to, before);
}

void slru_tracker::drop_commit_ts(const change_target& to) {
  drop_segments(slru_kind::commit_ts, to, [](std::uint32_t) { return true; });
}

}  // namespace strata::storage::mapping
