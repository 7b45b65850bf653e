#include <boost/test/unit_test.hpp>

#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"

BOOST_AUTO_TEST_SUITE(pg_redo_custom_manager)

namespace {

using namespace strata;
using namespace strata::tests;
using pg::wal::resource_manager;

sample custom(std::uint8_t id, bool will_init = false) {
  return {.manager = resource_manager{id}, .info = 0x10, .main_data = {1, 2, 3}, .will_init = will_init};
}
struct heap_page : test_page {
  heap_page() { apply(heap_insert(1, "one", true), 100); }
};
bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_refusal_names_the_extensions_id_and_says_what_else_is_affected, heap_page) {
  for (const bool will_init : {false, true}) {
    const auto before = bytes;
    const auto refused = try_apply(custom(130, will_init), 0x200);
    BOOST_REQUIRE(!refused);
    BOOST_TEST(refused.error().code == core::errc::unsupported);
    for (const char* part : {"custom(130)/10", "0/200", "block 5", "resource manager 130", "extension", "not affected"})
      BOOST_TEST(mentions(refused.error().detail, part), part << " is not in: " << refused.error().detail);
    BOOST_TEST((bytes == before));
  }
  // A built-in one is not blamed on an extension.
  const auto built_in = try_apply({.manager = resource_manager::heap, .info = 0x30}, 0x200);
  BOOST_REQUIRE(!built_in);
  BOOST_TEST(!mentions(built_in.error().detail, "extension"));
}

BOOST_FIXTURE_TEST_CASE(an_image_is_the_page_whoever_made_the_record, heap_page) {
  const sample touched = custom(255);
  auto record = touched.record();
  record.has_image = true;
  record.image.stored = bytes;
  test_page after;
  BOOST_REQUIRE(pg::redo::apply(record, core::lsn(0x300), after.context, after.bytes).has_value());
  BOOST_TEST(after.view().lsn().value == 0x300u);
  BOOST_TEST(after.view().item_count() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_page_of_a_backup_that_holds_the_change_already_stays, heap_page) {
  const auto before = bytes;
  BOOST_TEST(try_apply(custom(130), 100));
  BOOST_TEST((bytes == before));
  BOOST_TEST(refusal(custom(130), 101) == core::errc::unsupported);
}

BOOST_AUTO_TEST_SUITE_END()
