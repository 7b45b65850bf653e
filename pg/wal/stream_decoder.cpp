#include "pg/wal/stream_decoder.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "core/check.hpp"
#include "pg/crc32c.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/version.hpp"

namespace strata::pg::wal {
namespace {

constexpr std::uint64_t short_header_size = 24;
constexpr std::uint64_t long_header_size = 40;
constexpr std::uint16_t flag_continues = 1;
constexpr std::uint16_t flag_long_header = 2;
constexpr std::uint16_t flag_overwritten = 8;
constexpr std::uint16_t flags_known = 15;

constexpr std::uint32_t segment_size_min = 1u << 20;
constexpr std::uint32_t segment_size_max = 1u << 30;

constexpr std::size_t crc_offset = 20;
constexpr std::uint8_t operation_switch = 0x40;
constexpr std::uint8_t operation_overwrite_contrecord = 0xD0;
constexpr std::uint8_t id_main_data_short = 255;
constexpr std::uint8_t overwrite_data_size = 16;

/// The part that the decoder itself parses: a header, and the note about an overwritten record after it.
constexpr std::size_t head_size = 64;

/// One giant record must not hold its memory for the rest of the stream.
constexpr std::size_t assembly_kept_max = 8u << 20;

constexpr std::uint64_t header_size_at(core::lsn page, std::uint32_t segment_size) {
  return page.value % segment_size == 0 ? long_header_size : short_header_size;
}

core::error corrupt(const char* what, core::lsn where, const std::string& why) {
  return {core::errc::corrupt, std::string("read wal: ") + what + " at " + core::to_string(where) + ": " + why};
}

bool is_operation(core::bytes_view record, std::uint8_t xlog_operation) {
  return record[17] == static_cast<std::uint8_t>(resource_manager::xlog) && (record[16] & 0xF0) == xlog_operation;
}

const char* refusal_of(const stream_decoder_options& options) {
  if (!std::has_single_bit(options.segment_size) || options.segment_size < segment_size_min ||
      options.segment_size > segment_size_max)
    return "the size of a WAL segment is a power of two between 1 MiB and 1 GiB";
  const auto in_page = options.start.value % wal_page_size;
  if (in_page == 0) return nullptr;
  if (!options.starts_at_record) return "to find a record, a stream must start with a page";
  const core::lsn page = options.start - in_page;
  if (in_page < header_size_at(page, options.segment_size)) return "the stream starts inside a page header";
  return nullptr;
}

}  // namespace

core::lsn after_header(core::lsn position, std::uint32_t segment_size) {
  const auto aligned = position.align_up();
  return aligned.value % wal_page_size == 0 ? aligned + header_size_at(aligned, segment_size) : aligned;
}

core::lsn before_header(core::lsn position, std::uint32_t segment_size) {
  const auto aligned = position.align_up();
  const auto in_page = aligned.value % wal_page_size;
  const core::lsn page = aligned - in_page;
  return in_page == header_size_at(page, segment_size) ? page : aligned;
}

stream_decoder::stream_decoder(const stream_decoder_options& options)
    : system_id_(options.system_id),
      segment_size_(options.segment_size),
      magic_(page_magic(options.major)),
      refusal_(refusal_of(options)),
      position_(options.start),
      record_end_(refusal_ ? options.start : before_header(options.start, options.segment_size)),
      on_first_page_(options.start.value % wal_page_size == 0),
      joins_midway_(!options.starts_at_record),
      keeps_records_(options.keeps_records) {}

core::lsn stream_decoder::position() const { return position_; }
core::lsn stream_decoder::record_end() const { return record_end_; }

void stream_decoder::feed(core::bytes_view bytes) {
  core::check(input_.empty(), "the bytes fed before are consumed");
  input_ = bytes;
}

core::result<std::optional<framed_record>> stream_decoder::next() {
  if (refusal_) return core::error{core::errc::invalid_argument, std::string("read wal: ") + refusal_};
  while (!input_.empty()) {
    if (header_is_due()) {
      STRATA_ASSIGN(const bool complete, read_page_header());
      if (!complete) return outcome(std::nullopt);
      continue;
    }
    switch (state_) {
      case state::between_records:
        if (auto record = begin_record(); !record || *record) return record;
        break;
      case state::in_record:
        if (auto record = assemble_record(); !record || *record) return record;
        break;
      case state::skipping_continuation: skip_continuation(); break;
      case state::skipping_segment: skip_segment(); break;
    }
  }
  return outcome(std::nullopt);
}

std::size_t stream_decoder::page_left() const { return wal_page_size - position_.value % wal_page_size; }

core::bytes_view stream_decoder::consume(std::size_t count_max) {
  const auto taken = input_.first(std::min(count_max, input_.size()));
  input_ = input_.subspan(taken.size());
  position_ = position_ + taken.size();
  return taken;
}

// ---- pages

bool stream_decoder::header_is_due() const {
  return header_filled_ != 0 || (position_.value % wal_page_size == 0 && state_ != state::skipping_segment);
}

core::result<bool> stream_decoder::read_page_header() {
  const core::lsn page = position_ - header_filled_;
  const std::size_t size = header_size_at(page, segment_size_);
  const auto part = consume(size - header_filled_);
  std::copy(part.begin(), part.end(), header_.begin() + static_cast<std::ptrdiff_t>(header_filled_));
  header_filled_ += part.size();
  if (header_filled_ < size) return false;
  STRATA_TRY(check_page_header(header_.data()));
  header_filled_ = 0;
  timeline_ = core::load_le<std::uint32_t>(header_.data() + 4);
  STRATA_TRY(
      enter_page(core::load_le<std::uint16_t>(header_.data() + 2), core::load_le<std::uint32_t>(header_.data() + 16)));
  return true;
}

core::result<void> stream_decoder::check_page_header(const std::uint8_t* header) const {
  const core::lsn page = position_ - header_filled_;
  const bool first_of_segment = page.value % segment_size_ == 0;
  const auto fault = [&](const std::string& why) { return corrupt("page", page, why); };
  if (std::all_of(header, header + header_filled_, [](std::uint8_t byte) { return byte == 0; }))
    return fault("no WAL was written here");
  const auto magic = core::load_le<std::uint16_t>(header);
  if (magic != magic_) return fault("magic number " + std::to_string(magic) + " instead of " + std::to_string(magic_));
  const auto flags = core::load_le<std::uint16_t>(header + 2);
  if ((flags & ~flags_known) != 0 || ((flags & flag_long_header) != 0) != first_of_segment)
    return fault("impossible flags " + std::to_string(flags));
  const auto timeline = core::load_le<std::uint32_t>(header + 4);
  if (timeline == 0 || timeline < timeline_)
    return fault("timeline " + std::to_string(timeline) + " after " + std::to_string(timeline_));
  const core::lsn address(core::load_le<std::uint64_t>(header + 8));
  if (address != page) return fault("the page belongs at " + core::to_string(address));
  if (!first_of_segment) return {};
  const auto system_id = core::load_le<std::uint64_t>(header + 24);
  if (system_id_ != 0 && system_id != system_id_)
    return fault("it was written by system " + std::to_string(system_id) + ", not " + std::to_string(system_id_));
  if (core::load_le<std::uint32_t>(header + 32) != segment_size_) return fault("other segment size");
  if (core::load_le<std::uint32_t>(header + 36) != wal_page_size) return fault("other page size");
  return {};
}

/// Compares the page's flags about a continued record with the stream so far.
core::result<void> stream_decoder::enter_page(std::uint16_t flags, std::uint32_t remaining) {
  const core::lsn page = before_header(position_, segment_size_);
  const bool continues = (flags & flag_continues) != 0;
  const bool overwritten = (flags & flag_overwritten) != 0;
  const bool may_join = std::exchange(joins_midway_, false);
  const bool first_page = std::exchange(on_first_page_, false);
  if (continues != (remaining != 0) || (continues && overwritten))
    return corrupt("page", page, "its flags contradict each other");

  const bool waits = state_ != state::between_records;
  if (overwritten) {
    if (!waits && !first_page) return corrupt("page", page, "it overwrites a continuation that is not expected");
    dropped_ = state_ == state::in_record ? record_start_ : core::lsn();
    expects_overwrite_ = true;
    state_ = state::between_records;
    return {};
  }
  if (waits) {
    const auto missing = state_ == state::in_record ? record_length_ - assembled_ : skip_left_;
    if (!continues) return corrupt("page", page, "the continuation of a record is missing");
    if (remaining != missing)
      return corrupt("page", page,
                     std::to_string(remaining) + " bytes of a continued record instead of " + std::to_string(missing));
    return {};
  }
  if (!continues) return {};
  if (!may_join) return corrupt("page", page, "it continues a record that never began");
  if (remaining > record_size_max) return corrupt("page", page, "it continues a record that is too long");
  skip_left_ = remaining;
  state_ = state::skipping_continuation;
  return {};
}

void stream_decoder::skip_continuation() {
  skip_left_ -= static_cast<std::uint32_t>(consume(std::min<std::size_t>(skip_left_, page_left())).size());
  if (skip_left_ == 0) state_ = state::between_records;
}

void stream_decoder::skip_segment() {
  consume(record_end_ - position_);
  if (position_ == record_end_) state_ = state::between_records;
}

// ---- records

stream_decoder::outcome stream_decoder::begin_record() {
  if (!position_.aligned()) {
    consume(position_.align_up() - position_);
    return outcome(std::nullopt);
  }
  record_start_ = position_;
  if (input_.size() >= sizeof(std::uint32_t)) {
    const auto length = core::load_le<std::uint32_t>(input_.data());
    STRATA_TRY(check_length(length));
    if (length <= input_.size() && length <= page_left()) {
      const auto record = consume(length);
      return finish_record(record, length, crc32c_update(crc32c_begin, record.subspan(record_header_size)));
    }
  }
  if (assembly_.capacity() > assembly_kept_max) core::bytes().swap(assembly_);
  assembly_.clear();
  assembled_ = 0;
  body_crc_ = crc32c_begin;
  record_length_ = 0;
  state_ = state::in_record;
  return outcome(std::nullopt);
}

/// The buffer grows with the bytes that arrive: a length in a damaged header must not allocate anything.
stream_decoder::outcome stream_decoder::assemble_record() {
  if (record_length_ == 0) {
    core::append(assembly_, consume(sizeof(std::uint32_t) - assembly_.size()));
    assembled_ = assembly_.size();
    if (assembled_ < sizeof(std::uint32_t)) return outcome(std::nullopt);
    const auto length = core::load_le<std::uint32_t>(assembly_.data());
    STRATA_TRY(check_length(length));
    record_length_ = length;
    return outcome(std::nullopt);
  }
  const auto size_before = assembled_;
  const auto part = consume(std::min(record_length_ - assembled_, page_left()));
  assembled_ += part.size();
  body_crc_ = crc32c_update(
      body_crc_, part.subspan(std::min(part.size(), record_header_size - std::min(record_header_size, size_before))));
  const auto kept_max = keeps_records_ ? part.size() : head_size - std::min(head_size, size_before);
  core::append(assembly_, part.first(std::min(part.size(), kept_max)));
  if (size_before < record_header_size && assembled_ >= record_header_size)
    STRATA_TRY(check_previous(core::lsn(core::load_le<std::uint64_t>(assembly_.data() + 8))));
  if (assembled_ < record_length_) return outcome(std::nullopt);
  state_ = state::between_records;
  return finish_record(assembly_, record_length_, body_crc_);
}

stream_decoder::outcome stream_decoder::finish_record(core::bytes_view head, std::uint32_t length,
                                                      std::uint32_t body_crc) {
  STRATA_TRY(check_previous(core::lsn(core::load_le<std::uint64_t>(head.data() + 8))));
  const auto crc = crc32c_end(crc32c_update(body_crc, head.first(crc_offset)));
  if (crc != core::load_le<std::uint32_t>(head.data() + crc_offset))
    return corrupt("record", record_start_, "its checksum does not match its bytes");
  if (expects_overwrite_) STRATA_TRY(check_overwrite(head, length));

  record_end_ = position_.align_up();
  if (is_operation(head, operation_switch)) {
    if (length != record_header_size) return corrupt("record", record_start_, "a segment switch carries no data");
    // After a switch that ends with its segment nothing is left to skip.
    if (const auto in_segment = record_end_.value % segment_size_; in_segment != 0) {
      record_end_ = record_end_ + (segment_size_ - in_segment);
      state_ = state::skipping_segment;
    }
  }
  previous_ = record_start_;
  knows_previous_ = true;
  return outcome(framed_record{record_start_, record_end_, keeps_records_ ? head : core::bytes_view()});
}

core::result<void> stream_decoder::check_length(std::uint32_t length) const {
  if (length >= record_header_size && length <= record_size_max) return {};
  return corrupt("record", record_start_, "impossible length " + std::to_string(length));
}

core::result<void> stream_decoder::check_previous(core::lsn previous) const {
  if (knows_previous_ ? previous == previous_ : previous < record_start_) return {};
  return corrupt("record", record_start_,
                 "it follows a record at " + core::to_string(previous) +
                     (knows_previous_ ? ", not the one at " + core::to_string(previous_) : std::string(", after it")));
}

core::result<void> stream_decoder::check_overwrite(core::bytes_view head, std::uint32_t length) {
  constexpr std::size_t lsn_offset = record_header_size + 2;
  static_assert(lsn_offset + overwrite_data_size <= head_size);
  if (!is_operation(head, operation_overwrite_contrecord) || length != lsn_offset + overwrite_data_size ||
      head[record_header_size] != id_main_data_short || head[record_header_size + 1] != overwrite_data_size)
    return corrupt("record", record_start_, "a note about the overwritten record was expected");
  const core::lsn overwritten(core::load_le<std::uint64_t>(head.data() + lsn_offset));
  if (dropped_.valid() && overwritten != dropped_)
    return corrupt("record", record_start_,
                   "it notes that " + core::to_string(overwritten) + " was overwritten, but " +
                       core::to_string(dropped_) + " was");
  expects_overwrite_ = false;
  return {};
}

}  // namespace strata::pg::wal
