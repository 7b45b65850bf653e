#include "tests/fuzz/inputs.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace strata::tests::fuzz {

namespace {

constexpr unsigned oldest_major = 14, majors = 5;
constexpr unsigned segment_size_bits_min = 20, segment_size_kinds = 11;
/// More would only make inputs slow.
constexpr std::size_t records_max = 8;

/// Not std::ranges::copy, which at -O1 goes byte by byte, with a sanitizer watching each.
void put(core::bytes_span to, core::bytes_view from) {
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

core::bytes_view take_at_most(core::byte_reader& from, std::size_t count) {
  return from.take(std::min(count, from.left()));
}

}  // namespace

pg::major_version major_of(std::uint8_t byte) {
  return static_cast<pg::major_version>(oldest_major + (byte + majors - oldest_major % majors) % majors);
}

redo_input read_redo_input(core::bytes_view from) {
  core::byte_reader reader(from);
  redo_input read;
  read.major = major_of(reader.le<std::uint8_t>());
  read.hints_are_logged = reader.le<std::uint8_t>() & 1;
  const std::size_t before = std::min<std::size_t>(reader.le<std::uint16_t>(), pg::page_size);
  const std::size_t behind = std::min<std::size_t>(reader.le<std::uint16_t>(), pg::page_size - before);
  read.page.resize(pg::page_size);
  const core::bytes_span page(read.page);
  put(page, take_at_most(reader, before));
  put(page.last(behind), take_at_most(reader, behind));
  while (reader.left() > sizeof(std::uint16_t) && read.records.size() < records_max) {
    const auto record = take_at_most(reader, reader.le<std::uint16_t>());
    read.records.emplace_back(record.begin(), record.end());
  }
  return read;
}

core::bytes write_redo_input(const redo_input& of) {
  constexpr std::size_t header_size = 24;
  std::size_t hole = core::load_le<std::uint16_t>(of.page.data() + 12);
  std::size_t hole_end = core::load_le<std::uint16_t>(of.page.data() + 14);
  const bool has_hole =
      hole >= header_size && hole <= hole_end && hole_end <= pg::page_size &&
      std::all_of(of.page.begin() + static_cast<std::ptrdiff_t>(hole),
                  of.page.begin() + static_cast<std::ptrdiff_t>(hole_end), [](std::uint8_t byte) { return byte == 0; });
  if (!has_hole) hole = hole_end = pg::page_size;
  if (std::ranges::all_of(of.page, [](std::uint8_t byte) { return byte == 0; })) {
    hole = 0;
    hole_end = pg::page_size;
  }
  core::bytes to{static_cast<std::uint8_t>(of.major), of.hints_are_logged};
  core::append_le(to, static_cast<std::uint16_t>(hole));
  core::append_le(to, static_cast<std::uint16_t>(pg::page_size - hole_end));
  core::append(to, core::bytes_view(of.page).first(hole));
  core::append(to, core::bytes_view(of.page).subspan(hole_end));
  for (const core::bytes& record : of.records) {
    core::append_le(to, static_cast<std::uint16_t>(record.size()));
    core::append(to, core::bytes_view(record).first(static_cast<std::uint16_t>(record.size())));
  }
  return to;
}

framing_input read_framing_input(core::bytes_view from) {
  core::byte_reader reader(from);
  framing_input read;
  read.major = major_of(reader.le<std::uint8_t>());
  read.flags = reader.le<std::uint8_t>();
  read.segment_size = 1u << (segment_size_bits_min + reader.le<std::uint8_t>() % segment_size_kinds);
  read.piece_seed = reader.le<std::uint32_t>();
  read.start = core::lsn(reader.le<std::uint64_t>());
  read.rest = reader.rest();
  return read;
}

core::bytes write_framing_input(const framing_input& of) {
  core::bytes to{static_cast<std::uint8_t>(of.major), of.flags,
                 static_cast<std::uint8_t>(std::countr_zero(of.segment_size) - segment_size_bits_min)};
  core::append_le(to, of.piece_seed);
  core::append_le(to, of.start.value);
  core::append(to, of.rest);
  return to;
}

framing_step take_framing_step(core::byte_reader& from) {
  framing_step step;
  step.what = static_cast<framing_step::kind>(from.le<std::uint8_t>() % framing_step::kinds);
  step.bytes = take_at_most(from, from.le<std::uint16_t>());
  return step;
}

void append_framing_step(core::bytes& to, const framing_step& step) {
  to.push_back(static_cast<std::uint8_t>(step.what));
  core::append_le(to, static_cast<std::uint16_t>(step.bytes.size()));
  core::append(to, step.bytes);
}

}  // namespace strata::tests::fuzz
