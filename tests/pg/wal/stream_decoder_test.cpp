#include "pg/wal/stream_decoder.hpp"

#include <malloc.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <random>

#include "pg/wal/record.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::pg::wal {
namespace {

using tests::wal_builder;
using tests::wal_record;

constexpr std::uint32_t small_segment = 1u << 20;
constexpr core::lsn segment_three{3 * std::uint64_t{small_segment}};

struct seen_record {
  core::lsn start;
  core::lsn end;
  core::bytes bytes;
};

struct decoded {
  std::vector<seen_record> records;
  std::optional<core::error> failure;
  core::lsn position;
  core::lsn record_end;
};

using chunk_size = std::function<std::size_t()>;

/// The positions of a decoder that keeps no records are those of one that does, and so is what it refuses.
void check_same_without_bytes(core::result<std::optional<framed_record>> record,
                              const core::result<std::optional<framed_record>>& kept) {
  BOOST_TEST_REQUIRE(record.has_value() == kept.has_value());
  if (!kept) BOOST_TEST(record.error().detail == kept.error().detail);
  if (!kept || !*kept) return;
  BOOST_TEST_REQUIRE(record->has_value());
  BOOST_TEST((*record)->start.value == (*kept)->start.value);
  BOOST_TEST((*record)->end.value == (*kept)->end.value);
  BOOST_TEST((*record)->bytes.empty());
}

/// Feeds copies of the chunks, each exactly as large as it must be, so that a sanitizer sees every read past one.
decoded decode(core::bytes_view stream, const stream_decoder_options& options, const chunk_size& chunk) {
  stream_decoder decoder(options);
  auto without_records = options;
  without_records.keeps_records = false;
  stream_decoder positions(without_records);
  decoded result;
  while (!stream.empty() && !result.failure) {
    const auto size = std::min(chunk(), stream.size());
    const core::bytes fed(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
    stream = stream.subspan(size);
    decoder.feed(fed);
    positions.feed(fed);
    for (;;) {
      auto record = decoder.next();
      check_same_without_bytes(positions.next(), record);
      if (!record) result.failure = record.error();
      if (!record || !*record) break;
      const auto& framed = **record;
      result.records.push_back({framed.start, framed.end, core::bytes(framed.bytes.begin(), framed.bytes.end())});
    }
  }
  result.position = decoder.position();
  result.record_end = decoder.record_end();
  return result;
}

chunk_size whole() {
  return [] { return std::size_t{1} << 40; };
}
chunk_size chunks_of(std::size_t size) {
  return [size] { return size; };
}
chunk_size random_chunks(unsigned seed) {
  return [random = std::mt19937(seed)]() mutable -> std::size_t {
    switch (random() % 4) {
      case 0: return 1 + random() % 9;
      case 1: return 1 + random() % 100;
      case 2: return 1 + random() % 8300;
      default: return 1 + random() % 70000;
    }
  };
}

wal_record noop(std::size_t size, std::uint8_t fill = 0x5A) {
  return {.info = 0x20, .xid = 7, .main_data = core::bytes(size, fill)};
}

stream_decoder_options options_for(const wal_builder& builder, std::uint32_t segment_size = small_segment) {
  return {.start = builder.start(), .segment_size = segment_size, .system_id = 4711};
}
wal_builder builder_at(core::lsn start) { return wal_builder({.start = start, .segment_size = small_segment}); }

void check_same(const decoded& result, const std::vector<wal_builder::placed>& expected) {
  BOOST_TEST_REQUIRE(!result.failure.has_value(), (result.failure ? result.failure->detail : ""));
  BOOST_TEST_REQUIRE(result.records.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    BOOST_TEST(result.records[i].start.value == expected[i].start.value);
    BOOST_TEST(result.records[i].end.value == expected[i].end.value);
  }
  if (!expected.empty()) BOOST_TEST(result.record_end.value == expected.back().end.value);
}

void check_corrupt(const decoded& result, std::size_t records_before, std::string_view why) {
  BOOST_TEST_REQUIRE(result.failure);
  BOOST_TEST(result.failure->code == core::errc::corrupt);
  BOOST_TEST(result.records.size() == records_before);
  BOOST_TEST(result.failure->detail.find(why) != std::string::npos, result.failure->detail);
}

BOOST_AUTO_TEST_SUITE(pg_wal_stream_decoder)

BOOST_AUTO_TEST_CASE(both_spellings_of_a_position_turn_into_each_other) {
  const core::lsn segment(2 * std::uint64_t{default_wal_segment_size});
  BOOST_TEST(after_header(segment).value == segment.value + 40);
  BOOST_TEST(after_header(segment + 8192).value == segment.value + 8192 + 24);
  BOOST_TEST(after_header(segment + 8190).value == segment.value + 8192 + 24);
  BOOST_TEST(after_header(segment + 101).value == segment.value + 104);
  BOOST_TEST(before_header(segment + 40).value == segment.value);
  BOOST_TEST(before_header(segment + 8192 + 24).value == segment.value + 8192);
  BOOST_TEST(before_header(segment + 8192 + 40).value == segment.value + 8192 + 40);
  BOOST_TEST(before_header(segment + 8192).value == segment.value + 8192);
  BOOST_TEST(before_header(segment + 101).value == segment.value + 104);
  BOOST_TEST(after_header(core::lsn(small_segment), small_segment).value == small_segment + 40);
}

BOOST_AUTO_TEST_CASE(a_record_split_at_any_place_by_a_page_and_by_feeding_arrives_whole) {
  for (std::uint32_t left = 0; left <= 80; left += 8) {
    auto builder = builder_at(segment_three);
    builder.fill_page_until(left);
    const auto size_before = builder.stream().size();
    std::vector<wal_builder::placed> placed{builder.append(noop(50)), builder.append(noop(3))};
    const auto& stream = builder.stream();
    for (std::size_t cut = size_before; cut < stream.size(); ++cut) {
      bool first = true;
      const auto result =
          decode(stream, options_for(builder), [&] { return std::exchange(first, false) ? cut : 9999; });
      BOOST_TEST_REQUIRE(!result.failure.has_value());
      BOOST_TEST_REQUIRE(result.records.size() >= 2);
      const auto* last = &result.records[result.records.size() - 2];
      BOOST_TEST(last->start.value == placed[0].start.value);
      BOOST_TEST(last->end.value == placed[0].end.value);
      BOOST_TEST((last->bytes == tests::encode_record(noop(50), result.records.size() > 2
                                                                    ? result.records[result.records.size() - 3].start
                                                                    : core::lsn())));
      BOOST_TEST(last[1].end.value == placed[1].end.value);
    }
  }
}

BOOST_AUTO_TEST_CASE(random_streams_come_back_record_for_record_in_chunks_of_any_size) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    auto builder = builder_at(segment_three + (random() % 2 ? 0 : small_segment - 8192 * (1 + random() % 20)));
    std::vector<wal_builder::placed> placed;
    std::vector<core::bytes> records;
    for (int i = 0; i < 60; ++i) {
      if (random() % 25 == 0) {
        placed.push_back(builder.append_switch());
        records.emplace_back();
        continue;
      }
      const auto size = random() % 10 == 0 ? random() % 60000 : random() % 300;
      const auto record = noop(size, static_cast<std::uint8_t>(i));
      records.push_back(tests::encode_record(record, builder.previous()));
      placed.push_back(builder.append(record));
    }
    for (const auto& chunk : {whole(), random_chunks(seed), chunks_of(8192)}) {
      const auto result = decode(builder.stream(), options_for(builder), chunk);
      check_same(result, placed);
      for (std::size_t i = 0; i < records.size(); ++i)
        if (!records[i].empty()) BOOST_TEST((result.records[i].bytes == records[i]));
      BOOST_TEST(result.position.value == builder.position().value);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stream_fed_byte_by_byte_gives_the_same_records) {
  auto builder = builder_at(segment_three);
  std::vector<wal_builder::placed> placed;
  for (std::size_t size = 0; size < 12000; size = size * 2 + 1) placed.push_back(builder.append(noop(size)));
  check_same(decode(builder.stream(), options_for(builder), chunks_of(1)), placed);
}

BOOST_AUTO_TEST_CASE(a_record_within_a_page_is_a_view_into_the_bytes_fed) {
  auto builder = builder_at(segment_three);
  builder.append(noop(100));
  const auto& stream = builder.stream();
  stream_decoder decoder(options_for(builder));
  decoder.feed(stream);
  const auto record = decoder.next();
  BOOST_REQUIRE(record);
  BOOST_REQUIRE(record->has_value());
  BOOST_TEST((**record).bytes.data() == stream.data() + 40);
}

BOOST_AUTO_TEST_CASE(a_stream_may_start_in_either_spelling_and_in_the_middle_of_a_page) {
  auto builder = builder_at(segment_three);
  const auto first = builder.append(noop(100));
  const auto second = builder.append(noop(100));
  const core::bytes_view stream = builder.stream();
  auto options = options_for(builder);
  check_same(decode(stream, options, whole()), {first, second});
  options.start = after_header(segment_three, small_segment);
  check_same(decode(stream.subspan(40), options, whole()), {first, second});
  BOOST_TEST(stream_decoder(options).record_end().value == segment_three.value);
  options.start = second.start;
  check_same(decode(stream.subspan(second.start - segment_three), options, whole()), {second});
}

BOOST_AUTO_TEST_CASE(a_start_that_no_stream_can_have_is_refused) {
  stream_decoder_options options{.start = segment_three + 16, .segment_size = small_segment};
  const auto refused = [&] {
    stream_decoder decoder(options);
    const auto record = decoder.next();
    return !record && record.error().code == core::errc::invalid_argument;
  };
  BOOST_TEST(refused());
  options.start = segment_three + 104;
  BOOST_TEST(!refused());
  options.starts_at_record = false;
  BOOST_TEST(refused());
  options = {.start = segment_three, .segment_size = 3 << 20};
  BOOST_TEST(refused());
}

BOOST_AUTO_TEST_CASE(a_start_inside_a_record_skips_to_the_next_one) {
  auto builder = builder_at(segment_three);
  builder.append(noop(10));
  const auto giant = builder.append(noop(30000));
  const auto next = builder.append(noop(10));
  const core::bytes_view stream = builder.stream();
  auto options = options_for(builder);
  options.starts_at_record = false;
  for (std::uint64_t page = 1; page * wal_page_size < giant.end - segment_three; ++page) {
    options.start = segment_three + page * wal_page_size;
    check_same(decode(stream.subspan(page * wal_page_size), options, chunks_of(1000)), {next});
  }
  options.start = segment_three;
  BOOST_TEST(decode(stream, options, whole()).records.size() == 3u);
  options.start = segment_three + wal_page_size;
  options.starts_at_record = true;
  check_corrupt(decode(stream.subspan(wal_page_size), options, whole()), 0, "a record that never began");
}

BOOST_AUTO_TEST_CASE(a_switch_ends_its_segment_and_no_further_one) {
  const std::uint32_t last_page = small_segment - wal_page_size;
  struct place {
    std::uint64_t page;
    std::uint32_t left;
  };
  // In the middle, at the end of a page, at the end of the segment, and over its end into the next one.
  for (const auto at : {place{0, 4000}, place{0, 24}, place{last_page, 24}, place{last_page, 32}, place{last_page, 16},
                        place{last_page, 8}, place{last_page, 0}, place{0, 16}}) {
    auto builder = builder_at(segment_three + at.page);
    builder.fill_page_until(at.left);
    const auto before = decode(builder.stream(), options_for(builder), whole()).records.size();
    const auto switched = builder.append_switch();
    const auto segment_end = (switched.start.value / small_segment + 1) * small_segment;
    const bool crosses = at.page == last_page && at.left < 24 && at.left != 0;
    BOOST_TEST(switched.end.value == segment_end + (crosses ? small_segment : 0));
    const auto after = builder.append(noop(100));
    for (const auto& chunk : {whole(), random_chunks(at.left)}) {
      const auto result = decode(builder.stream(), options_for(builder), chunk);
      BOOST_TEST_REQUIRE(!result.failure.has_value(), (result.failure ? result.failure->detail : ""));
      BOOST_TEST_REQUIRE(result.records.size() == before + 2);
      BOOST_TEST(result.records[before].end.value == switched.end.value);
      BOOST_TEST(result.records[before + 1].start.value == after.start.value);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_switch_is_given_out_before_the_rest_of_its_segment_arrives) {
  auto builder = builder_at(segment_three);
  const auto switched = builder.append_switch();
  const auto result = decode(core::bytes_view(builder.stream()).first(64), options_for(builder), whole());
  check_same(result, {switched});
  BOOST_TEST(result.position.value == segment_three.value + 64);
}

BOOST_AUTO_TEST_CASE(an_overwritten_record_is_dropped_wherever_it_was_cut) {
  for (const std::uint32_t left : {8u, 16u, 24u, 32u, 4000u})
    for (const std::uint32_t pages : {0u, 1u, 3u})
      for (const unsigned seed : {1u, 2u}) {
        auto builder = builder_at(segment_three);
        builder.fill_page_until(left);
        const auto before = decode(builder.stream(), options_for(builder), whole()).records.size();
        const auto note = builder.append_overwritten(noop(50000), pages);
        const auto after = builder.append(noop(100));
        const auto result = decode(builder.stream(), options_for(builder), random_chunks(seed));
        BOOST_TEST_REQUIRE(!result.failure.has_value(), (result.failure ? result.failure->detail : ""));
        BOOST_TEST_REQUIRE(result.records.size() == before + 2);
        BOOST_TEST(result.records[before].start.value == note.start.value);
        BOOST_TEST(result.records[before + 1].start.value == after.start.value);
      }
}

BOOST_AUTO_TEST_CASE(an_overwritten_continuation_is_accepted_where_the_stream_starts_with_it) {
  auto builder = builder_at(segment_three);
  const auto note = builder.append_overwritten(noop(50000), 1);
  auto options = options_for(builder);
  const auto from = [&](std::uint64_t page) {
    options.start = segment_three + page * wal_page_size;
    return decode(core::bytes_view(builder.stream()).subspan(page * wal_page_size), options, whole());
  };
  check_same(from(2), {note});
  options.starts_at_record = false;
  check_same(from(1), {note});
  check_same(from(2), {note});
}

BOOST_AUTO_TEST_CASE(an_overwritten_continuation_must_be_announced_by_the_right_record) {
  auto builder = builder_at(segment_three);
  const auto note = builder.append_overwritten(noop(50000));
  const auto record_at = note.start - segment_three;
  auto wrong_lsn = builder.stream();
  wrong_lsn.resize(record_at);
  wal_record other{.info = 0xD0};
  core::append_le(other.main_data, segment_three.value + 48);
  core::append_le(other.main_data, std::uint64_t{0});
  core::append(wrong_lsn, tests::encode_record(other, {}));
  check_corrupt(decode(wrong_lsn, options_for(builder), whole()), 0, "was overwritten, but");
  auto no_note = builder.stream();
  no_note.resize(record_at);
  core::append(no_note, tests::encode_record(noop(8), {}));
  check_corrupt(decode(no_note, options_for(builder), whole()), 0, "a note about the overwritten record");
}

BOOST_AUTO_TEST_CASE(damage_is_found_and_named) {
  auto builder = builder_at(segment_three);
  builder.append(noop(100));
  const auto second = builder.append(noop(20000));
  builder.append(noop(100));
  const auto spoil = [&](std::uint64_t at, std::uint8_t flip) {
    auto stream = builder.stream();
    stream[at] ^= flip;
    return decode(stream, options_for(builder), random_chunks(static_cast<unsigned>(at)));
  };
  const auto page = std::uint64_t{wal_page_size};
  const auto record = second.start - segment_three;
  check_corrupt(spoil(0, 1), 0, "magic number");
  check_corrupt(spoil(2, 2), 0, "impossible flags");
  check_corrupt(spoil(3, 1), 0, "impossible flags");
  check_corrupt(spoil(4, 1), 0, "timeline 0");
  check_corrupt(spoil(9, 1), 0, "the page belongs at");
  check_corrupt(spoil(16, 1), 0, "contradict");
  check_corrupt(spoil(24, 1), 0, "written by system");
  check_corrupt(spoil(34, 1), 0, "other segment size");
  check_corrupt(spoil(37, 1), 0, "other page size");
  check_corrupt(spoil(page + 2, 1), 1, "contradict");
  check_corrupt(spoil(page + 2, 2), 1, "impossible flags");
  check_corrupt(spoil(page + 2, 8), 1, "contradict");
  check_corrupt(spoil(page + 16, 1), 1, "bytes of a continued record");
  check_corrupt(spoil(record, 1), 1, "continued record");
  check_corrupt(spoil(record + 3, 0xC0), 1, "impossible length");
  check_corrupt(spoil(record + 8, 8), 1, "it follows a record at");
  check_corrupt(spoil(record + 16, 0x10), 1, "checksum");
  check_corrupt(spoil(record + 20, 1), 1, "checksum");
  check_corrupt(spoil(record + 9000, 1), 1, "checksum");
  BOOST_TEST(spoil(record, 1).failure->detail.find(core::to_string(segment_three + page)) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_page_without_the_promised_continuation_is_corrupt) {
  auto builder = builder_at(segment_three);
  builder.append(noop(20000));
  auto stream = builder.stream();
  stream[wal_page_size + 2] = 0;
  core::store_le(stream.data() + wal_page_size + 16, std::uint32_t{0});
  check_corrupt(decode(stream, options_for(builder), whole()), 0, "continuation of a record is missing");
}

BOOST_AUTO_TEST_CASE(zeros_where_wal_should_be_are_corrupt_and_say_so) {
  auto builder = builder_at(segment_three);
  builder.fill_page_until(0);
  const auto records = decode(builder.stream(), options_for(builder), whole()).records.size();
  auto stream = builder.stream();
  stream.resize(stream.size() + wal_page_size);
  check_corrupt(decode(stream, options_for(builder), whole()), records, "no WAL was written here");
  auto in_page = builder_at(segment_three);
  in_page.append(noop(10));
  in_page.stream().resize(200);
  check_corrupt(decode(in_page.stream(), options_for(in_page), whole()), 1, "impossible length 0");
}

BOOST_AUTO_TEST_CASE(a_previous_record_that_lies_ahead_is_corrupt_even_at_the_start) {
  auto builder = builder_at(segment_three);
  builder.append_encoded(tests::encode_record(noop(8), segment_three + 4096));
  check_corrupt(decode(builder.stream(), options_for(builder), whole()), 0, "after it");
}

BOOST_AUTO_TEST_CASE(pages_of_an_older_timeline_come_first) {
  wal_builder old_builder({.start = segment_three, .segment_size = small_segment, .timeline = 3});
  old_builder.fill_page_until(0);
  const auto join = [&](std::uint32_t timeline) {
    wal_builder next({.start = old_builder.position(),
                      .segment_size = small_segment,
                      .timeline = timeline,
                      .previous = old_builder.previous()});
    next.append(noop(8));
    auto stream = old_builder.stream();
    core::append(stream, next.stream());
    return decode(stream, options_for(old_builder), whole());
  };
  BOOST_TEST(!join(4).failure.has_value());
  BOOST_TEST(join(2).failure);
}

BOOST_AUTO_TEST_CASE(a_length_alone_allocates_nothing) {
  auto builder = builder_at(segment_three);
  builder.append(noop(30000));
  auto stream = builder.stream();
  core::store_le(stream.data() + 40, record_size_max);
  stream.resize(wal_page_size);
  stream_decoder decoder(options_for(builder));
  const auto mapped_before = mallinfo2().hblkhd;
  decoder.feed(stream);
  const auto record = decoder.next();
  BOOST_REQUIRE(record);
  BOOST_TEST(!record->has_value());
  BOOST_TEST(decoder.position().value == segment_three.value + wal_page_size);
  BOOST_TEST(mallinfo2().hblkhd < mapped_before + (1 << 20));
}

BOOST_AUTO_TEST_CASE(records_that_are_not_kept_take_no_memory) {
  auto builder = builder_at(segment_three);
  builder.append(noop(40u << 20));
  const auto& stream = builder.stream();
  auto options = options_for(builder);
  options.keeps_records = false;
  stream_decoder decoder(options);
  const auto before = ::mallinfo2();
  std::size_t most = 0;
  bool found = false;
  for (std::size_t at = 0; at < stream.size(); at += 128u << 10) {
    decoder.feed(core::bytes_view(stream).subspan(at, std::min<std::size_t>(128u << 10, stream.size() - at)));
    const auto record = decoder.next();
    BOOST_TEST_REQUIRE(record);
    found = found || record->has_value();
    const auto now = ::mallinfo2();
    most = std::max(most,
                    now.uordblks + now.hblkhd - std::min(now.uordblks + now.hblkhd, before.uordblks + before.hblkhd));
  }
  BOOST_TEST(found);
  BOOST_TEST(most < 1u << 20);
}

BOOST_AUTO_TEST_CASE(every_major_has_its_own_magic) {
  for (const auto written : {major_version::v14, major_version::v15, major_version::v18}) {
    wal_builder builder({.start = segment_three, .major = written, .segment_size = small_segment});
    const auto placed = builder.append(noop(9000));
    for (const auto read : {major_version::v14, major_version::v15, major_version::v18}) {
      auto options = options_for(builder);
      options.major = read;
      const auto result = decode(builder.stream(), options, whole());
      if (read == written)
        check_same(result, {placed});
      else
        check_corrupt(result, 0, "magic number");
    }
  }
}

BOOST_AUTO_TEST_CASE(damaged_streams_never_give_out_a_record_that_was_not_written) {
  auto builder = builder_at(segment_three);
  std::mt19937 random(99);
  std::vector<core::bytes> records;
  for (int i = 0; i < 40; ++i) {
    const auto record = noop(random() % 700, static_cast<std::uint8_t>(i));
    records.push_back(tests::encode_record(record, builder.previous()));
    builder.append(record);
  }
  for (int round = 0; round < 3000; ++round) {
    auto stream = builder.stream();
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips)
      stream[random() % stream.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    const auto result = decode(stream, options_for(builder), random_chunks(static_cast<unsigned>(round)));
    BOOST_TEST_REQUIRE(result.records.size() <= records.size());
    for (std::size_t i = 0; i < result.records.size(); ++i) BOOST_TEST_REQUIRE((result.records[i].bytes == records[i]));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::pg::wal
