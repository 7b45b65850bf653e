#include "config/option_text.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace strata::config {
namespace {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(config_option_text)

BOOST_AUTO_TEST_CASE(overrides_are_put_over_the_base_under_the_names_of_the_field) {
  const auto changed = apply_overrides({}, R"({"checkpoint_distance": "32 MiB", "checkpoint_timeout": "10 s",
    "gc_horizon": 1048576, "pitr_interval": 60000, "compaction_threshold": 3})");
  BOOST_TEST_REQUIRE(changed);
  BOOST_TEST(changed->checkpoint_distance_bytes == 32u << 20);
  BOOST_TEST(changed->checkpoint_timeout == 10s);
  BOOST_TEST(changed->gc_horizon_bytes == 1u << 20);
  BOOST_TEST(changed->pitr_interval == 60s);
  BOOST_TEST(changed->compaction_threshold == 3u);
  BOOST_TEST(changed->image_creation_threshold == tenant_options{}.image_creation_threshold);
}

BOOST_AUTO_TEST_CASE(overrides_that_were_taken_out_go_back_in_to_the_same_options) {
  tenant_options value;
  value.gc_horizon_bytes = 0;
  value.pitr_interval = 36h;
  value.lsn_lease_length = 1500ms;
  const std::string text = overrides_of(value, {});
  const auto again = apply_overrides({}, text);
  BOOST_TEST_REQUIRE(again);
  BOOST_TEST(overrides_of(*again, value) == "{}");
  BOOST_TEST(again->gc_horizon_bytes == 0u);
  BOOST_TEST(again->pitr_interval == 36h);
  BOOST_TEST(again->lsn_lease_length == 1500ms);
  BOOST_TEST(overrides_of({}, {}) == "{}");
}

BOOST_AUTO_TEST_CASE(nothing_changes_nothing) {
  tenant_options base;
  base.compaction_threshold = 77;
  for (const char* text : {"", "{}"}) {
    const auto same = apply_overrides(base, text);
    BOOST_TEST_REQUIRE(same);
    BOOST_TEST(overrides_of(*same, base) == "{}");
  }
}

BOOST_AUTO_TEST_CASE(null_puts_the_default_back) {
  tenant_options base;
  base.compaction_threshold = 77;
  const auto back = apply_overrides(base, R"({"compaction_threshold": null})");
  BOOST_TEST_REQUIRE(back);
  BOOST_TEST(back->compaction_threshold == tenant_options{}.compaction_threshold);
}

BOOST_AUTO_TEST_CASE(an_unknown_option_is_refused_with_a_suggestion) {
  const auto refused = apply_overrides({}, R"({"gc_horison": 1})");
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().code == core::errc::invalid_argument);
  BOOST_TEST(refused.error().detail.find("did you mean \"gc_horizon\"?") != std::string::npos, refused.error().detail);
}

BOOST_AUTO_TEST_CASE(bad_values_are_refused_and_name_the_option) {
  for (const char* text :
       {R"({"pitr_interval": "soon"})", R"({"pitr_interval": -1})", R"({"pitr_interval": 1.5})",
        R"({"pitr_interval": [1]})", R"({"pitr_interval": true})", R"({"pitr_interval": "2000000 d"})"}) {
    const auto refused = apply_overrides({}, text);
    BOOST_TEST_REQUIRE(!refused.has_value(), text);
    BOOST_TEST(refused.error().detail.find("pitr_interval") != std::string::npos, refused.error().detail);
  }
  for (const char* text : {"[]", "17", "\"x\"", "{", "nonsense"})
    BOOST_TEST(!apply_overrides({}, text).has_value(), text);
  BOOST_TEST(!apply_overrides({}, R"({"compaction_threshold": 0})").has_value());
  BOOST_TEST(!apply_overrides({}, R"({"checkpoint_distance": 1})").has_value());
}

BOOST_AUTO_TEST_CASE(every_option_is_listed) {
  const std::string all = options_text({});
  for (const char* name : {"checkpoint_distance", "checkpoint_timeout", "compaction_threshold",
                           "compaction_target_size", "compaction_period", "image_creation_threshold", "gc_horizon",
                           "gc_period", "pitr_interval", "lsn_lease_length"})
    BOOST_TEST(all.find('"' + std::string(name) + '"') != std::string::npos, name);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::config
