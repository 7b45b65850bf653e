#include "pg/wal/version.hpp"

#include <boost/test/unit_test.hpp>

#include "pg/wal/record.hpp"
#include "tests/support/printing.hpp"

namespace strata::pg::wal {
namespace {

constexpr major_version majors[] = {major_version::v14, major_version::v15, major_version::v16, major_version::v17,
                                    major_version::v18};

BOOST_AUTO_TEST_SUITE(pg_wal_version)

BOOST_AUTO_TEST_CASE(the_magic_of_a_page_tells_the_major) {
  for (const auto major : majors) {
    const auto found = major_of_magic(page_magic(major));
    BOOST_REQUIRE(found);
    BOOST_TEST((*found == major));
  }
  BOOST_TEST(page_magic(major_version::v15) == 0xD110);
  BOOST_TEST(major_of_magic(0xD106).error().code == core::errc::unsupported);
  BOOST_TEST(major_of_magic(0).error().code == core::errc::unsupported);
}

BOOST_AUTO_TEST_CASE(control_file_numbers_belong_to_their_major) {
  BOOST_TEST(control_version(major_version::v14) == 1300u);
  BOOST_TEST(control_version(major_version::v15) == 1300u);
  BOOST_TEST(control_version(major_version::v18) == 1800u);
  BOOST_TEST(catalog_version(major_version::v15) == 202209061u);
  BOOST_TEST(catalog_version(major_version::v17) == 202406281u);
}

BOOST_AUTO_TEST_CASE(operations_have_names) {
  BOOST_TEST(to_string(resource_manager::btree) == "Btree");
  BOOST_TEST(to_string(static_cast<resource_manager>(130)) == "custom(130)");
  BOOST_TEST(describe(resource_manager::heap, 0x00) == "Heap/INSERT");
  BOOST_TEST(describe(resource_manager::heap, 0x80) == "Heap/INSERT+INIT");
  BOOST_TEST(describe(resource_manager::transaction, 0x80) == "Transaction/COMMIT");
  BOOST_TEST(describe(resource_manager::xlog, 0x42) == "XLOG/SWITCH");
  BOOST_TEST(describe(resource_manager::btree, 0xF0) == "Btree/F0");
  BOOST_TEST(describe(static_cast<resource_manager>(130), 0x10) == "custom(130)/10");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::pg::wal
