#include "pg/files/slru.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace strata::pg::files {
namespace {

constexpr std::uint32_t members_per_group = 4;
constexpr std::size_t group_size = members_per_group * (1 + sizeof(transaction_id));

constexpr std::size_t commit_timestamp_size = sizeof(timestamp) + sizeof(std::uint16_t);
static_assert(commit_timestamps_per_page == page_size / commit_timestamp_size);

void check_page(core::bytes_view page) { core::check(page.size() == page_size, "an SLRU page has 8192 bytes"); }

std::size_t member_group_at(std::uint32_t offset) {
  return offset % multixact_members_per_page / members_per_group * group_size;
}
std::size_t member_status_at(std::uint32_t offset) { return member_group_at(offset) + offset % members_per_group; }
std::size_t member_xid_at(std::uint32_t offset) {
  return member_group_at(offset) + members_per_group + offset % members_per_group * sizeof(transaction_id);
}

}  // namespace

void set_clog_status(core::bytes_span page, transaction_id xid, clog_status status) {
  check_page(page);
  const unsigned shift = xid % 4 * 2;
  std::uint8_t& byte = page[xid % clog_xids_per_page / 4];
  byte = static_cast<std::uint8_t>((byte & ~(3u << shift)) | static_cast<unsigned>(status) << shift);
}

clog_status clog_status_of(core::bytes_view page, transaction_id xid) {
  check_page(page);
  return static_cast<clog_status>(page[xid % clog_xids_per_page / 4] >> (xid % 4 * 2) & 3);
}

void set_multixact_offset(core::bytes_span page, multixact_id id, std::uint32_t offset) {
  check_page(page);
  core::store_le(page.data() + id % multixact_offsets_per_page * sizeof offset, offset);
}

std::uint32_t multixact_offset_of(core::bytes_view page, multixact_id id) {
  check_page(page);
  return core::load_le<std::uint32_t>(page.data() + id % multixact_offsets_per_page * sizeof(std::uint32_t));
}

void set_multixact_member(core::bytes_span page, std::uint32_t offset, const multixact_member& member) {
  check_page(page);
  page[member_status_at(offset)] = member.status;
  core::store_le(page.data() + member_xid_at(offset), member.xid);
}

multixact_member multixact_member_at(core::bytes_view page, std::uint32_t offset) {
  check_page(page);
  return {core::load_le<transaction_id>(page.data() + member_xid_at(offset)), page[member_status_at(offset)]};
}

void set_commit_timestamp(core::bytes_span page, transaction_id xid, const commit_timestamp& value) {
  check_page(page);
  std::uint8_t* const at = page.data() + xid % commit_timestamps_per_page * commit_timestamp_size;
  core::store_le(at, value.time);
  core::store_le(at + sizeof value.time, value.origin);
}

commit_timestamp commit_timestamp_of(core::bytes_view page, transaction_id xid) {
  check_page(page);
  const std::uint8_t* const at = page.data() + xid % commit_timestamps_per_page * commit_timestamp_size;
  return {core::load_le<timestamp>(at), core::load_le<std::uint16_t>(at + sizeof(timestamp))};
}

std::uint32_t multixact_members_until_page_end(std::uint32_t offset) {
  const std::uint64_t page_end = (std::uint64_t{multixact_members_page_of(offset)} + 1) * multixact_members_per_page;
  return static_cast<std::uint32_t>(std::min(page_end, std::uint64_t{1} << 32) - offset);
}

}  // namespace strata::pg::files
