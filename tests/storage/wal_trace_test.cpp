#include "storage/wal_trace.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

using namespace strata;
using storage::wal_trace;
using storage::wal_tracer;

namespace {

constexpr std::uint64_t piece = wal_tracer::piece_size_bytes;

core::bytes noise(std::size_t size, std::uint32_t seed = 1) {
  core::bytes made(size);
  for (auto& byte : made) byte = static_cast<std::uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return made;
}

/// Fed in parts of that size.
wal_trace trace_of(core::lsn start, core::bytes_view wal, std::size_t part = 100'000) {
  wal_tracer tracer(start);
  for (; !wal.empty(); wal = wal.subspan(std::min(part, wal.size()))) tracer.add(wal.first(std::min(part, wal.size())));
  return tracer.trace();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_wal_trace)

BOOST_AUTO_TEST_CASE(a_trace_reaches_back_between_one_and_two_pieces_and_begins_with_one) {
  const core::lsn start(5 * piece + 40);
  const core::bytes wal = noise(4 * piece);
  for (const std::uint64_t size :
       {std::uint64_t{8}, piece - 48, piece - 40, piece - 32, 2 * piece - 40, 2 * piece, 4 * piece}) {
    const wal_trace trace = trace_of(start, core::bytes_view(wal).first(size));
    BOOST_TEST((trace.end == start + size));
    BOOST_TEST((trace.begin == start || trace.begin.value % piece == 0));
    BOOST_TEST((trace.begin == start || trace.end - trace.begin > piece));
    BOOST_TEST((trace.end - trace.begin <= 2 * piece));
    wal_trace known = trace;
    known.source_timeline = 1;
    BOOST_TEST(plausible(known));
  }
}

BOOST_AUTO_TEST_CASE(reading_again_from_its_begin_gives_the_same_trace_however_it_is_fed) {
  const core::lsn start(7 * piece + 8192);
  const core::bytes wal = noise(4 * piece);
  for (const std::uint64_t size : {std::uint64_t{9}, piece - 8192, piece - 8191, 3 * piece - 8192, 3 * piece + 17}) {
    const wal_trace before = trace_of(start, core::bytes_view(wal).first(size));
    const auto stretch = core::bytes_view(wal).subspan(before.begin - start, before.end - before.begin);
    for (const std::size_t part : {std::size_t{1000}, std::size_t{8192}, std::size_t{piece}, stretch.size()})
      BOOST_TEST((trace_of(before.begin, stretch, part) == before));
  }
}

BOOST_AUTO_TEST_CASE(one_other_byte_anywhere_in_the_stretch_gives_another_trace) {
  const core::lsn start(3 * piece);
  core::bytes wal = noise(2 * piece + 5000);
  const wal_trace before = trace_of(start, wal);
  BOOST_TEST((before.begin == start + piece));
  for (const std::size_t at : {piece, piece + 1, 2 * piece - 1, 2 * piece, wal.size() - 1}) {
    wal[at] ^= 0x10;
    BOOST_TEST((trace_of(start, wal) != before));
    wal[at] ^= 0x10;
  }
  wal[piece - 1] ^= 0x10;  // before the stretch
  BOOST_TEST((trace_of(start, wal) == before));
}

BOOST_AUTO_TEST_CASE(a_stored_trace_that_cannot_be_is_not_believed) {
  const wal_trace good{.begin = core::lsn(piece),
                       .middle = core::lsn(2 * piece),
                       .end = core::lsn(2 * piece + 8),
                       .older = 1,
                       .newer = 2,
                       .source_timeline = 1};
  BOOST_TEST(plausible(good));
  const auto changed = [&](auto change) {
    wal_trace trace = good;
    change(trace);
    return plausible(trace);
  };
  BOOST_TEST(!changed([](wal_trace& of) { of.begin = {}; }));
  BOOST_TEST(!changed([](wal_trace& of) { of.begin = of.middle + 8; }));
  BOOST_TEST(!changed([](wal_trace& of) { of.end = of.middle; }));
  BOOST_TEST(!changed([](wal_trace& of) { of.end = of.middle + piece + 1; }));
  BOOST_TEST(!changed([](wal_trace& of) { of.begin = core::lsn(piece - 1); }));
  BOOST_TEST(!changed([](wal_trace& of) { of.source_timeline = 0; }));
}

BOOST_AUTO_TEST_SUITE_END()
