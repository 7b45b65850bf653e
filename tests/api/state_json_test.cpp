#include "api/state_json.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace strata::tests {

using messages::tenant_state;
using messages::timeline_state;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(api_state_json)

BOOST_AUTO_TEST_CASE(every_state_is_read_back_as_it_was_written) {
  for (const tenant_state each : messages::tenant_states) {
    const auto read = api::tenant_state_in(api::to_json(each, "why"));
    BOOST_TEST(read.is(each));
    BOOST_TEST(read.reason == (each == tenant_state::broken ? "why" : ""));
  }
  for (const timeline_state each : messages::timeline_states) {
    const auto read = api::timeline_state_in(api::to_json(each, "why"));
    BOOST_TEST(read.is(each));
    BOOST_TEST(read.reason == (each == timeline_state::broken ? "why" : ""));
  }
}

BOOST_AUTO_TEST_CASE(the_api_keeps_its_words) {
  BOOST_TEST(api::to_json(tenant_state::active, "") == (json{{"slug", "Active"}}));
  BOOST_TEST(api::to_json(tenant_state::broken, "no metadata") ==
             (json{{"slug", "Broken"}, {"data", {{"reason", "no metadata"}}}}));
  BOOST_TEST(api::to_json(timeline_state::importing, "") == json("Importing"));
  BOOST_TEST(api::to_json(timeline_state::stopping, "") == json("Stopping"));
  BOOST_TEST(api::to_json(timeline_state::broken, "no layer") == (json{{"Broken", {{"reason", "no layer"}}}}));
}

BOOST_AUTO_TEST_CASE(a_word_of_another_version_is_no_state) {
  for (const json& odd : {json(), json("Hibernating"), json(7), json::object(), json{{"Torn", {{"reason", "x"}}}}}) {
    BOOST_TEST(!api::timeline_state_in(odd).state.has_value());
    BOOST_TEST(!api::tenant_state_in(odd).state.has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
