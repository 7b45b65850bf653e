#include "tests/support/wal_builder.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "pg/crc32c.hpp"

namespace strata::tests {
namespace {

using pg::wal::image_compression;
using pg::wal::resource_manager;

constexpr std::uint8_t operation_noop = 0x20;
constexpr std::uint8_t operation_switch = 0x40;
constexpr std::uint8_t operation_overwrite_contrecord = 0xD0;

std::uint8_t image_info(const wal_image& image, pg::major_version major) {
  const bool old = major == pg::major_version::v14;
  std::uint8_t info = image.hole_length != 0 ? 0x01 : 0x00;
  if (image.apply) info |= old ? 0x04 : 0x02;
  switch (image.compression) {
    case image_compression::none: break;
    case image_compression::pglz: info |= old ? 0x02 : 0x04; break;
    case image_compression::lz4: info |= 0x08; break;
    case image_compression::zstd: info |= 0x10; break;
  }
  return info;
}

void append_block_header(core::bytes& to, const wal_block& block, const wal_block* before, pg::major_version major) {
  const auto& relation = block.relation;
  const bool same = before && before->relation.tablespace == relation.tablespace &&
                    before->relation.database == relation.database && before->relation.relation == relation.relation;
  auto flags = static_cast<std::uint8_t>(relation.fork);
  if (block.image) flags |= 0x10;
  if (!block.data.empty()) flags |= 0x20;
  if (block.will_init) flags |= 0x40;
  if (same) flags |= 0x80;
  to.push_back(block.id);
  to.push_back(flags);
  core::append_le(to, static_cast<std::uint16_t>(block.data.size()));
  if (block.image) {
    core::append_le(to, static_cast<std::uint16_t>(block.image->stored.size()));
    core::append_le(to, block.image->hole_offset);
    to.push_back(image_info(*block.image, major));
    if (block.image->hole_length != 0 && block.image->compression != image_compression::none)
      core::append_le(to, block.image->hole_length);
  }
  if (!same) {
    core::append_le(to, relation.tablespace);
    core::append_le(to, relation.database);
    core::append_le(to, relation.relation);
  }
  core::append_le(to, block.block);
}

void append_main_data_header(core::bytes& to, std::size_t size) {
  if (size == 0) return;
  if (size < 256) {
    to.push_back(255);
    to.push_back(static_cast<std::uint8_t>(size));
  } else {
    to.push_back(254);
    core::append_le(to, static_cast<std::uint32_t>(size));
  }
}

}  // namespace

wal_image image_of(core::bytes_view page, std::uint16_t hole_offset, std::uint16_t hole_length) {
  wal_image image{.hole_offset = hole_offset, .hole_length = hole_length};
  core::append(image.stored, page.first(hole_offset));
  core::append(image.stored, page.subspan(hole_offset + hole_length));
  return image;
}

void seal_record(core::bytes& record) {
  core::store_le(record.data(), static_cast<std::uint32_t>(record.size()));
  const core::bytes_view bytes = record;
  const auto body = pg::crc32c_update(pg::crc32c_begin, bytes.subspan(pg::wal::record_header_size));
  core::store_le(record.data() + 20, pg::crc32c_end(pg::crc32c_update(body, bytes.first(20))));
}

core::bytes encode_record(const wal_record& of, core::lsn previous, pg::major_version major) {
  core::bytes record(pg::wal::record_header_size);
  core::store_le(record.data() + 4, of.xid);
  core::store_le(record.data() + 8, previous.value);
  record[16] = of.info;
  record[17] = static_cast<std::uint8_t>(of.manager);
  const wal_block* before = nullptr;
  for (const auto& block : of.blocks) {
    append_block_header(record, block, before, major);
    before = &block;
  }
  if (of.origin != 0) {
    record.push_back(253);
    core::append_le(record, of.origin);
  }
  if (of.top_level_xid != 0) {
    record.push_back(252);
    core::append_le(record, of.top_level_xid);
  }
  append_main_data_header(record, of.main_data.size());
  for (const auto& block : of.blocks) {
    if (block.image) core::append(record, block.image->stored);
    core::append(record, block.data);
  }
  core::append(record, of.main_data);
  seal_record(record);
  return record;
}

wal_builder::wal_builder(const wal_builder_options& options) : options_(options), previous_(options.previous) {
  core::check(options.start.aligned(), "a stream begins on a multiple of 8");
}

std::uint32_t wal_builder::page_left() const {
  return static_cast<std::uint32_t>(pg::wal_page_size - position().value % pg::wal_page_size);
}

void wal_builder::put_header(std::uint16_t flags, std::uint32_t remaining) {
  const auto page = position();
  const bool first_of_segment = page.value % options_.segment_size == 0;
  if (first_of_segment) flags |= 2;
  core::append_le(stream_, pg::wal::page_magic(options_.major));
  core::append_le(stream_, flags);
  core::append_le(stream_, options_.timeline);
  core::append_le(stream_, page.value);
  core::append_le(stream_, remaining);
  core::append_le(stream_, std::uint32_t{0});
  if (!first_of_segment) return;
  core::append_le(stream_, options_.system_id);
  core::append_le(stream_, options_.segment_size);
  core::append_le(stream_, static_cast<std::uint32_t>(pg::wal_page_size));
}

wal_builder::placed wal_builder::append(const wal_record& record) {
  return append_encoded(encode_record(record, previous_, options_.major));
}

wal_builder::placed wal_builder::append_encoded(core::bytes_view record) {
  if (page_left() == pg::wal_page_size) put_header(0, 0);
  const auto start = position();
  while (!record.empty()) {
    if (page_left() == pg::wal_page_size) put_header(1, static_cast<std::uint32_t>(record.size()));
    const auto part = record.first(std::min<std::size_t>(record.size(), page_left()));
    core::append(stream_, part);
    record = record.subspan(part.size());
  }
  stream_.resize(position().align_up() - options_.start);
  previous_ = start;
  return {start, position()};
}

wal_builder::placed wal_builder::append_switch() {
  const auto record = append({.info = operation_switch});
  if (const auto in_segment = position().value % options_.segment_size; in_segment != 0)
    stream_.resize(stream_.size() + options_.segment_size - in_segment);
  return {record.start, position()};
}

wal_builder::placed wal_builder::append_overwritten(const wal_record& record, std::uint32_t pages_after_first) {
  const auto before = previous_;
  const auto lost = append(record);
  const auto first_page_end = (lost.start.value / pg::wal_page_size + 1) * pg::wal_page_size;
  const auto crash = core::lsn(first_page_end + std::uint64_t{pages_after_first} * pg::wal_page_size);
  core::check(crash < lost.end, "an overwritten record must reach past its last kept page");
  stream_.resize(crash - options_.start);
  previous_ = before;
  put_header(8, 0);
  wal_record overwrite{.info = operation_overwrite_contrecord};
  core::append_le(overwrite.main_data, lost.start.value);
  core::append_le(overwrite.main_data, std::uint64_t{0});
  return append(overwrite);
}

void wal_builder::fill_page_until(std::uint32_t left) {
  constexpr std::uint32_t smallest = 32;  // header, main data header and data, padded
  constexpr std::uint32_t short_data_max = 248;
  core::check(left % 8 == 0 && left < pg::wal_page_size, "a record begins on a multiple of 8");
  if (page_left() == pg::wal_page_size) put_header(0, 0);
  for (auto room = page_left(); room != left; room = page_left() % pg::wal_page_size) {
    const auto gap = room - left;
    core::check(room > left && gap >= smallest, "no record is small enough for the gap");
    auto size = std::min(gap, short_data_max);
    if (gap != size && gap - size < smallest) size -= smallest;
    append({.info = operation_noop, .main_data = core::bytes(size - 26, 0xAA)});
  }
}

}  // namespace strata::tests
