#include "storage/strata_record.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "pg/redo/visibility_map.hpp"

namespace strata::storage {
namespace {

/// A payload is a sequence of changes, each an operation and its operands; an empty one leaves the page unchanged.
/// On disk: never renumber.
enum class operation : std::uint8_t {
  clog_status = 1,          // status u8, count u16, position on the page u16 [count]
  multixact_offset = 2,     // position on the page u16, offset u32
  multixact_members = 3,    // position on the page u16, count u16, (xid u32, status u8) [count]
  visibility_clear = 4,     // heap block u32, bits u8
  visibility_truncate = 5,  // heap blocks u32
  commit_timestamps = 6,    // time i64, origin u16, count u16, position on the page u16 [count]
};

void put(core::bytes& to, operation which) { to.push_back(static_cast<std::uint8_t>(which)); }

bool apply_clog_status(core::byte_reader& from, core::bytes_span page) {
  const auto status = from.le<std::uint8_t>();
  const auto count = from.le<std::uint16_t>();
  core::byte_reader positions(from.take(std::size_t{count} * 2));
  if (!from.ok() || status > 3) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto position = positions.le<std::uint16_t>();
    if (position >= pg::files::clog_xids_per_page) return false;
    pg::files::set_clog_status(page, position, static_cast<pg::files::clog_status>(status));
  }
  return true;
}

bool apply_multixact_offset(core::byte_reader& from, core::bytes_span page) {
  const auto position = from.le<std::uint16_t>();
  const auto offset = from.le<std::uint32_t>();
  if (!from.ok() || position >= pg::files::multixact_offsets_per_page) return false;
  pg::files::set_multixact_offset(page, position, offset);
  return true;
}

bool apply_multixact_members(core::byte_reader& from, core::bytes_span page) {
  const auto first = from.le<std::uint16_t>();
  const auto count = from.le<std::uint16_t>();
  core::byte_reader members(from.take(std::size_t{count} * 5));
  if (!from.ok() || std::uint32_t{first} + count > pg::files::multixact_members_per_page) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto xid = members.le<std::uint32_t>();
    const auto status = members.le<std::uint8_t>();
    pg::files::set_multixact_member(page, first + i, {xid, status});
  }
  return true;
}

bool apply_visibility_clear(core::byte_reader& from, core::bytes_span page) {
  const auto heap_block = from.le<std::uint32_t>();
  const auto bits = from.le<std::uint8_t>();
  if (!from.ok() || bits == 0 || bits > pg::redo::vm_both_bits) return false;
  pg::redo::clear_visibility(page, heap_block, bits);
  return true;
}

bool apply_visibility_truncate(core::byte_reader& from, core::bytes_span page) {
  const auto heap_blocks = from.le<std::uint32_t>();
  if (!from.ok()) return false;
  pg::redo::truncate_visibility_map(page, heap_blocks);
  return true;
}

bool apply_commit_timestamps(core::byte_reader& from, core::bytes_span page) {
  pg::files::commit_timestamp value;
  value.time = from.le<pg::timestamp>();
  value.origin = from.le<std::uint16_t>();
  const auto count = from.le<std::uint16_t>();
  core::byte_reader positions(from.take(std::size_t{count} * 2));
  if (!from.ok()) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto position = positions.le<std::uint16_t>();
    if (position >= pg::files::commit_timestamps_per_page) return false;
    pg::files::set_commit_timestamp(page, position, value);
  }
  return true;
}

void append_positions(core::bytes& to, std::span<const pg::transaction_id> xids_of_one_page, std::uint32_t per_page) {
  core::check(xids_of_one_page.size() <= per_page, "more transactions than a page has");
  core::append_le(to, static_cast<std::uint16_t>(xids_of_one_page.size()));
  for (const pg::transaction_id xid : xids_of_one_page) core::append_le(to, static_cast<std::uint16_t>(xid % per_page));
}

}  // namespace

void encode_clog_status(core::bytes& to, transaction_status status,
                        std::span<const pg::transaction_id> xids_of_one_page) {
  put(to, operation::clog_status);
  to.push_back(static_cast<std::uint8_t>(status));
  append_positions(to, xids_of_one_page, pg::files::clog_xids_per_page);
}

void encode_multixact_offset(core::bytes& to, pg::multixact_id multixact, std::uint32_t offset) {
  put(to, operation::multixact_offset);
  core::append_le(to, static_cast<std::uint16_t>(multixact % pg::files::multixact_offsets_per_page));
  core::append_le(to, offset);
}

void encode_multixact_members(core::bytes& to, std::uint32_t first_offset,
                              std::span<const multixact_member> members_of_one_page) {
  const std::uint32_t first = first_offset % pg::files::multixact_members_per_page;
  core::check(first + members_of_one_page.size() <= pg::files::multixact_members_per_page,
              "multixact members beyond their page");
  put(to, operation::multixact_members);
  core::append_le(to, static_cast<std::uint16_t>(first));
  core::append_le(to, static_cast<std::uint16_t>(members_of_one_page.size()));
  for (const multixact_member& member : members_of_one_page) {
    core::append_le(to, member.xid);
    to.push_back(static_cast<std::uint8_t>(member.status));
  }
}

void encode_visibility_clear(core::bytes& to, pg::block_number heap_block, std::uint8_t bits) {
  put(to, operation::visibility_clear);
  core::append_le(to, heap_block);
  to.push_back(bits);
}

void encode_visibility_truncate(core::bytes& to, pg::block_number heap_blocks) {
  put(to, operation::visibility_truncate);
  core::append_le(to, heap_blocks);
}

void encode_commit_timestamps(core::bytes& to, const pg::files::commit_timestamp& value,
                              std::span<const pg::transaction_id> xids_of_one_page) {
  put(to, operation::commit_timestamps);
  core::append_le(to, value.time);
  core::append_le(to, value.origin);
  append_positions(to, xids_of_one_page, pg::files::commit_timestamps_per_page);
}

core::result<void> apply_strata_record(core::bytes_view payload, core::bytes_span page) {
  core::check(page.size() == pg::page_size, "a page has page_size bytes");
  core::byte_reader from(payload);
  while (from.left() > 0) {
    bool fits = false;
    switch (operation{from.le<std::uint8_t>()}) {
      case operation::clog_status: fits = apply_clog_status(from, page); break;
      case operation::multixact_offset: fits = apply_multixact_offset(from, page); break;
      case operation::multixact_members: fits = apply_multixact_members(from, page); break;
      case operation::visibility_clear: fits = apply_visibility_clear(from, page); break;
      case operation::visibility_truncate: fits = apply_visibility_truncate(from, page); break;
      case operation::commit_timestamps: fits = apply_commit_timestamps(from, page); break;
    }
    if (!fits) return core::error{core::errc::corrupt, "apply strata record: malformed change"};
  }
  return {};
}

}  // namespace strata::storage
