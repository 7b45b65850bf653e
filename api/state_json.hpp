#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "messages/states.hpp"

/// States in the JSON of the API, written and read back: {"slug": "Active"} of a tenant, "Active" of a timeline; with
/// a reason {"slug": "Broken", "data": {"reason": why}} and {"Broken": {"reason": why}}.
namespace strata::api {

nlohmann::json to_json(messages::tenant_state state, const std::string& reason);
nlohmann::json to_json(messages::timeline_state state, const std::string& reason);

/// A state as a client read it.
template <class State>
struct shown_state {
  std::optional<State> state;  ///< absent: none was given, or one of another version
  std::string reason;          ///< of broken

  [[nodiscard]] bool is(State wanted) const { return state == wanted; }
};
shown_state<messages::tenant_state> tenant_state_in(const nlohmann::json& state);
shown_state<messages::timeline_state> timeline_state_in(const nlohmann::json& state);

}  // namespace strata::api
