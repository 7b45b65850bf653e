#include "pg/redo/gin_format.hpp"

#include <cstring>

namespace strata::pg::redo::posting_list {

namespace {

constexpr unsigned bits_per_byte = 7;
constexpr std::uint8_t value_bits = 0x7F;
constexpr std::uint8_t another_follows = 0x80;

std::uint64_t take_distance(page::cursor& from) {
  std::uint64_t distance = 0;
  for (unsigned i = 0; i < longest_distance; ++i) {
    const auto byte = from.take<std::uint8_t>();
    distance |= static_cast<std::uint64_t>(byte & value_bits) << bits_per_byte * i;
    if (!(byte & another_follows)) return distance;
  }
  throw page::malformed("distance in a posting list too long");
}

core::bytes_view distances_of(core::bytes_view segment) {
  require(segment.size() >= header_size, "posting list shorter than its header");
  const std::size_t size = core::load_le<std::uint16_t>(segment.data() + encoded_size);
  require(size <= segment.size() - header_size, "posting list with a wrong size");
  return segment.subspan(header_size, size);
}

}  // namespace

tid_number take_heap_tid(page::cursor& from) {
  const core::bytes_view tid = from.take_bytes(heap_tid_size);
  const auto word = [&](std::size_t at) { return core::load_le<std::uint16_t>(tid.data() + at); };
  const std::uint16_t item = word(4);
  require(item < 1u << item_bits, "item number of a heap tid too large");
  return (std::uint64_t{word(0)} << 16 | word(2)) << item_bits | item;
}

core::bytes_view take_segment(page::cursor& from) {
  const std::size_t size = header_size + distances_of(from.rest()).size();
  return from.take_bytes(size + size % 2);
}

reader::reader(core::bytes_view segment) : distances_(distances_of(segment)) {
  page::cursor header(segment);
  current_ = take_heap_tid(header);
}

void reader::advance() {
  if (distances_.left() == 0) {
    at_end_ = true;
    return;
  }
  const std::uint64_t distance = take_distance(distances_);
  require(distance > 0, "posting list does not ascend");
  current_ += distance;  // at most 49 bits on top of 43
  require(current_ < tid_number{1} << tid_bits, "heap tid outside its range");
}

plain_reader::plain_reader(core::bytes_view heap_tids) : heap_tids_(heap_tids) {
  at_end_ = heap_tids_.left() == 0;
  if (!at_end_) current_ = take_heap_tid(heap_tids_);
}

void plain_reader::advance() {
  at_end_ = heap_tids_.left() == 0;
  if (at_end_) return;
  const tid_number next = take_heap_tid(heap_tids_);
  require(next > current_, "heap tids do not ascend");
  current_ = next;
}

core::bytes_span writer::take(std::size_t size) {
  require(size <= space_.size() - used_, "posting list does not fit on the page");
  used_ += size;
  return space_.subspan(used_ - size, size);
}

void writer::copy(core::bytes_view segments) {
  core::bytes_span to = take(segments.size());
  if (!segments.empty()) std::memcpy(to.data(), segments.data(), segments.size());
}

void writer::append(tid_number next) {
  if (!in_segment_) {
    in_segment_ = true;
    segment_at_ = used_;
    page::window header(take(header_size));
    index_tuple::set_block(header, static_cast<block_number>(next >> item_bits));
    header.store(index_tuple::tid_item, static_cast<std::uint16_t>(next & ((1u << item_bits) - 1)));
  } else {
    std::uint64_t distance = next - last_;
    for (; distance > value_bits; distance >>= bits_per_byte)
      take(1)[0] = static_cast<std::uint8_t>((distance & value_bits) | another_follows);
    take(1)[0] = static_cast<std::uint8_t>(distance);
  }
  last_ = next;
}

void writer::finish_segment() {
  if (!in_segment_) return;
  in_segment_ = false;
  const std::size_t size = used_ - segment_at_;
  core::store_le(space_.data() + segment_at_ + encoded_size, static_cast<std::uint16_t>(size - header_size));
  if (size % 2 != 0) take(1)[0] = 0;
}

void merge(reader old, plain_reader added, writer& to) {
  while (!old.at_end() || !added.at_end()) {
    const bool from_old = added.at_end() || (!old.at_end() && old.current() <= added.current());
    const tid_number next = from_old ? old.current() : added.current();
    if (!added.at_end() && added.current() == next) added.advance();
    if (from_old) old.advance();
    to.append(next);
  }
  to.finish_segment();
}

void compress(plain_reader heap_tids, writer& to) {
  for (; !heap_tids.at_end(); heap_tids.advance()) to.append(heap_tids.current());
  to.finish_segment();
}

}  // namespace strata::pg::redo::posting_list
