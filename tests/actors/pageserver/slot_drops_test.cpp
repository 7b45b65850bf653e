#include "actors/pageserver/slot_drops.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

using namespace strata;
using namespace strata::actors::pageserver;
using core::lsn;

BOOST_AUTO_TEST_SUITE(actors_pageserver_slot_drops)

namespace {

slot_drop of(const std::string& slot, std::uint64_t system_id = 7) {
  return {"host=h password=p", slot, system_id, lsn(0x1000)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_stored_is_read_again_and_a_damaged_file_is_told) {
  slot_drops drops;
  drops.add(of("a"));
  drops.add(of("b"));
  drops.add(of("a", 8));
  const core::bytes bytes = drops.encode();
  BOOST_TEST((slot_drops::decode(bytes)->all() == drops.all()));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    core::bytes flipped = bytes;
    flipped[i] ^= 1;
    BOOST_TEST(!slot_drops::decode(flipped));
    BOOST_TEST(!slot_drops::decode(core::bytes_view(bytes).first(i)));
  }
  const tests::temp_dir directory;
  const std::string path = (directory / "slots_to_drop").string();
  BOOST_TEST(load_slot_drops(path)->all().empty());
  BOOST_REQUIRE(store_slot_drops(path, drops));
  BOOST_TEST((load_slot_drops(path)->all() == drops.all()));
}

BOOST_AUTO_TEST_CASE(they_are_bounded_and_a_name_that_is_taken_over_is_forgotten) {
  slot_drops drops;
  for (std::size_t i = 0; i < slot_drops::count_max + 10; ++i) drops.add(of("s" + std::to_string(i)));
  BOOST_TEST(drops.all().size() == slot_drops::count_max);
  BOOST_TEST(drops.all().back().slot == "s" + std::to_string(slot_drops::count_max + 9));
  BOOST_TEST(!drops.forget("s20", 8));  // at another server
  BOOST_TEST(drops.forget("s20", 7));
  BOOST_TEST(!drops.forget("s20", 7));
  drops.done(drops.all().front());
  BOOST_TEST(drops.all().size() == slot_drops::count_max - 2);
}

BOOST_AUTO_TEST_CASE(only_a_slot_that_can_be_told_from_another_followers_is_dropped_later) {
  storage::timeline_record record;
  BOOST_TEST(!slot_drop_of(record).has_value());
  record.source = storage::source_record{"host=h", "s"};
  record.system_id = 7;
  BOOST_TEST(!slot_drop_of(record).has_value());  // nothing was ever told to it
  record.disk_consistent_lsn = lsn(0x3000);
  BOOST_TEST(slot_drop_of(record)->last_told == lsn(0x3000));
  record.source->received = storage::wal_trace{.begin = lsn(0x2000), .middle = lsn(0x2000), .end = lsn(0x3000)};
  BOOST_TEST(slot_drop_of(record)->last_told == lsn(0x2000));
  record.major = pg::major_version::v14;
  BOOST_TEST(!slot_drop_of(record).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
