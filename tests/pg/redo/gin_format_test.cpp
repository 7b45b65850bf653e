#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/pg/redo/gin_sample.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_gin_format)

namespace {

using namespace strata;
using namespace strata::tests;

tids read(core::bytes_view segment) {
  tids all;
  for (lists::reader from(segment); !from.at_end(); from.advance()) all.push_back(from.current());
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_segment_is_its_first_heap_tid_and_distances_of_seven_bits_a_byte) {
  const core::bytes expected{0, 0, 0, 0, 1, 0, 4, 0, 1, 0x80, 0x10, 0x05};
  BOOST_TEST(segment_of({tid(0, 1), tid(0, 2), tid(1, 2), tid(1, 7)}) == expected, boost::test_tools::per_element());
  BOOST_TEST(segment_of({tid(0x12345, 6)}).size() == 8u);
  BOOST_TEST(segment_of({}).empty());
}

BOOST_AUTO_TEST_CASE(segments_round_trip_at_every_length_of_a_distance) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    tids all{random() % 2048};
    for (int i = 0; i < round; ++i) {
      const unsigned bits = static_cast<unsigned>(random() % 42) + 1;
      const tid_number next = all.back() + (random() % 3 == 0 ? tid_number{1} << bits : (tid_number{1} << bits) - 1);
      if (next >= tid_number{1} << lists::tid_bits) break;
      all.push_back(next);
    }
    core::bytes two = segment_of(all);
    BOOST_TEST(two.size() % 2 == 0u);
    BOOST_TEST((read(two) == all));
    core::append(two, segment_of({tid(5, 5)}));
    pg::page::cursor from(two);
    BOOST_TEST((read(lists::take_segment(from)) == all));
    BOOST_TEST((read(lists::take_segment(from)) == tids{tid(5, 5)}));
    BOOST_TEST(from.left() == 0u);
  }
  const tids far{0, (tid_number{1} << lists::tid_bits) - 1};
  BOOST_TEST(segment_of(far).size() == 8u + 8u);  // seven bytes, padded
  BOOST_TEST((read(segment_of(far)) == far));
}

BOOST_AUTO_TEST_CASE(damaged_segments_are_refused) {
  using pg::page::malformed;
  BOOST_CHECK_THROW(read(raw_segment(core::bytes{0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00})), malformed);
  BOOST_CHECK_THROW(read(raw_segment(core::bytes{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F})), malformed);
  BOOST_CHECK_THROW(read(raw_segment(core::bytes{0x80})), malformed);
  BOOST_CHECK_THROW(read(raw_segment(core::bytes{0x00})), malformed);
  BOOST_CHECK_THROW(read(raw_segment({}, 2048)), malformed);
  core::bytes cut = segment_of({tid(0, 1), tid(0, 2), tid(0, 3)});
  for (cut.pop_back(); !cut.empty(); cut.pop_back()) {
    pg::page::cursor from(cut);
    BOOST_CHECK_THROW(lists::take_segment(from), malformed);
  }
  BOOST_CHECK_THROW(segment_of({tid(1, 1), tid(1, 1)}), malformed);
  core::bytes small(11);
  lists::writer to(small);
  BOOST_CHECK_THROW(lists::compress(lists::plain_reader(plain({1, 2, 3, 4, 5})), to), malformed);
}

BOOST_AUTO_TEST_SUITE_END()
