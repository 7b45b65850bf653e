#include "pg/files/start_segment.hpp"

#include <algorithm>
#include <cstdio>

#include "core/check.hpp"
#include "pg/crc32c.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/version.hpp"

namespace strata::pg::files {
namespace {

constexpr std::uint64_t short_header_size = 24;
constexpr std::uint64_t long_header_size = 40;
constexpr std::uint16_t continues_record = 1;
constexpr std::uint16_t has_long_header = 2;
constexpr std::uint8_t checkpoint_shutdown = 0x00;
constexpr std::uint8_t checkpoint_online = 0x10;
constexpr std::uint8_t short_main_data = 255;
/// Header, marker and length of the main data, the data itself.
constexpr std::size_t checkpoint_record_size = wal::record_header_size + 2 + checkpoint::encoded_size;

std::uint64_t header_size_at(core::lsn page, std::uint32_t segment_size) {
  return page.value % segment_size == 0 ? long_header_size : short_header_size;
}

core::bytes page_header(const start_point& at, core::lsn page, std::uint32_t continued_bytes) {
  const bool is_long = page.value % at.segment_size == 0;
  core::bytes to;
  core::append_le(to, wal::page_magic(at.major));
  core::append_le(
      to, static_cast<std::uint16_t>((continued_bytes != 0 ? continues_record : 0) | (is_long ? has_long_header : 0)));
  core::append_le(to, at.counters.timeline);
  core::append_le(to, page.value);
  core::append_le(to, continued_bytes);
  core::append_le(to, std::uint32_t{0});
  if (is_long) {
    core::append_le(to, at.system_id);
    core::append_le(to, at.segment_size);
    core::append_le(to, static_cast<std::uint32_t>(wal_page_size));
  }
  return to;
}

core::bytes checkpoint_record(const checkpoint& counters, core::lsn previous, std::uint8_t info) {
  core::bytes to;
  core::append_le(to, static_cast<std::uint32_t>(checkpoint_record_size));
  core::append_le(to, transaction_id{0});
  core::append_le(to, previous.value);
  core::append_le(to, info);
  core::append_le(to, static_cast<std::uint8_t>(wal::resource_manager::xlog));
  core::append_le(to, std::uint16_t{0});
  core::append_le(to, std::uint32_t{0});
  core::append_le(to, short_main_data);
  core::append_le(to, static_cast<std::uint8_t>(checkpoint::encoded_size));
  core::append(to, counters.encode());

  const core::bytes_view written = to;
  std::uint32_t crc = crc32c_update(crc32c_begin, written.subspan(wal::record_header_size));
  crc = crc32c_end(crc32c_update(crc, written.first(20)));
  core::store_le(to.data() + 20, crc);
  return to;
}

/// Writes bytes at WAL positions into the files that hold those positions.
class segment_writer {
 public:
  explicit segment_writer(const start_point& at) : at_(at) {}

  void put(core::lsn position, core::bytes_view bytes) {
    const std::uint64_t offset = position.value % at_.segment_size;
    if (files_.empty() || position >= end_of_file_) open(position - offset);
    std::vector<sparse_file::piece>& pieces = files_.back().pieces;
    if (pieces.empty() || pieces.back().offset + pieces.back().bytes.size() != offset) pieces.push_back({offset, {}});
    core::append(pieces.back().bytes, bytes);
  }
  /// A whole record with the headers of the pages that it enters; returns its end. Precondition: its first page's
  /// header is there.
  core::lsn put_record(core::lsn position, core::bytes_view record) {
    while (true) {
      const std::size_t fits = std::min<std::size_t>(record.size(), wal_page_size - position.value % wal_page_size);
      put(position, record.first(fits));
      record = record.subspan(fits);
      position = position + fits;
      if (record.empty()) return position;
      put(position, page_header(at_, position, static_cast<std::uint32_t>(record.size())));
      position = position + header_size_at(position, at_.segment_size);
    }
  }
  /// The headers without which no reader gets to `position`: it checks the first page of a segment that it enters,
  /// however far after it the record is.
  void put_headers(core::lsn position) {
    const core::lsn segment = position - position.value % at_.segment_size;
    const core::lsn page = position - position.value % wal_page_size;
    if (page != segment) put(segment, page_header(at_, segment, 0));
    put(page, page_header(at_, page, 0));
  }
  std::vector<sparse_file> take() { return std::move(files_); }

 private:
  void open(core::lsn begin) {
    files_.push_back({wal_segment_name(at_.counters.timeline, begin, at_.segment_size), at_.segment_size, {}});
    end_of_file_ = begin + at_.segment_size;
  }

  const start_point& at_;
  std::vector<sparse_file> files_;
  core::lsn end_of_file_;
};

core::error refused(std::string why) {
  return {core::errc::invalid_argument, "create start segment: " + std::move(why)};
}

}  // namespace

std::string wal_segment_name(std::uint32_t timeline, core::lsn position, std::uint32_t segment_size) {
  const std::uint64_t number = position.value / segment_size;
  const std::uint64_t per_group = (std::uint64_t{1} << 32) / segment_size;
  char name[25];
  std::snprintf(name, sizeof name, "%08X%08X%08X", timeline, static_cast<std::uint32_t>(number / per_group),
                static_cast<std::uint32_t>(number % per_group));
  return name;
}

core::result<core::lsn> record_start_at(core::lsn position, std::uint32_t segment_size) {
  if (!valid_wal_segment_size(segment_size)) return refused("WAL segment size " + std::to_string(segment_size));
  if (!position.valid()) return refused("position 0/0 is before the first WAL");
  if (!position.aligned()) return refused("position " + to_string(position) + " is not a multiple of 8");
  const std::uint64_t in_page = position.value % wal_page_size;
  const std::uint64_t header = header_size_at(position - in_page, segment_size);
  if (in_page == 0) return position + header;
  if (in_page < header) return refused("position " + to_string(position) + " is inside a WAL page header");
  return position;
}

core::lsn normalise_position(core::lsn position, std::uint32_t segment_size) {
  core::check(valid_wal_segment_size(segment_size), "a WAL segment size is a power of two from 1 MiB to 1 GiB");
  const core::lsn aligned = position.align_up();
  const std::uint64_t in_page = aligned.value % wal_page_size;
  const core::lsn page = aligned - in_page;
  return in_page <= header_size_at(page, segment_size) ? page : aligned;
}

core::bytes sparse_file::read(std::uint64_t from, std::uint64_t count) const {
  core::check(from <= size && count <= size - from, "a read of a sparse file stays inside it");
  core::bytes to(count);
  for (const piece& part : pieces) {
    const std::uint64_t begin = std::max(from, part.offset);
    const std::uint64_t end = std::min(from + count, part.offset + part.bytes.size());
    if (begin < end)
      std::copy_n(part.bytes.begin() + static_cast<std::ptrdiff_t>(begin - part.offset), end - begin,
                  to.begin() + static_cast<std::ptrdiff_t>(begin - from));
  }
  return to;
}

core::result<start_wal> start_segments(const start_point& at) {
  STRATA_ASSIGN(const core::lsn start, record_start_at(at.position, at.segment_size));
  if (at.previous >= at.position)
    return refused("previous record " + to_string(at.previous) + " is not before " + to_string(at.position));

  start_wal made;
  made.record_start = start;
  made.copy = at.counters;
  made.copy.redo = start;
  made.copy.oldest_active_xid = 0;
  // Any smaller position passes as the previous record, but zero would mean that there is none.
  const core::lsn previous = at.previous.valid() ? at.previous : at.position - 8;
  segment_writer writer(at);
  writer.put_headers(start);
  made.record_end = writer.put_record(start, checkpoint_record(made.copy, previous, checkpoint_shutdown)).align_up();
  made.segments = writer.take();
  return made;
}

core::result<standby_wal> standby_segments(const start_point& at) {
  STRATA_ASSIGN(const core::lsn record, record_start_at(at.position, at.segment_size));
  const core::lsn page = record - record.value % wal_page_size;
  const std::uint64_t in_page = record - page - header_size_at(page, at.segment_size);
  constexpr std::uint64_t size = (checkpoint_record_size + 7) / 8 * 8;
  // Segment 0 does not exist, so there is a page before this one.
  if (page.value <= at.segment_size && in_page < size) return refused("there is no WAL before " + to_string(record));

  standby_wal made;
  made.record = record;
  made.checkpoint = in_page >= size ? record - size : page - (size - in_page);
  made.copy = at.counters;
  made.copy.redo = made.checkpoint;
  const std::uint8_t info = made.copy.oldest_active_xid == 0 ? checkpoint_shutdown : checkpoint_online;
  segment_writer writer(at);
  writer.put_headers(made.checkpoint);
  writer.put_record(made.checkpoint, checkpoint_record(made.copy, made.checkpoint - 8, info));
  // The checkpoint fills the page before: what follows it begins with a header that is not in the stream's part.
  if (in_page == 0) writer.put(page, page_header(at, page, 0));
  made.segments = writer.take();
  return made;
}

}  // namespace strata::pg::files
