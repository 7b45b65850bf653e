#include "api/state_json.hpp"

#include <cctype>
#include <nlohmann/json.hpp>

namespace strata::api {
namespace {

using messages::tenant_state;
using messages::timeline_state;
using nlohmann::json;

/// active -> "Active"
template <class State>
std::string shown_word(State state) {
  std::string word(to_string(state));
  word.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(word.front())));
  return word;
}

template <class State, class States>
std::optional<State> parse(const std::string& word, const States& all) {
  for (const State each : all)
    if (shown_word(each) == word) return each;
  return std::nullopt;
}

}  // namespace

json to_json(tenant_state state, const std::string& reason) {
  json made{{"slug", shown_word(state)}};
  if (state == tenant_state::broken) made["data"] = {{"reason", reason}};
  return made;
}

json to_json(timeline_state state, const std::string& reason) {
  if (state == timeline_state::broken) return {{shown_word(state), {{"reason", reason}}}};
  return shown_word(state);
}

shown_state<tenant_state> tenant_state_in(const json& state) {
  if (!state.is_object()) return {};
  return {parse<tenant_state>(state.value("slug", ""), messages::tenant_states),
          state.value("data", json::object()).value("reason", "")};
}

shown_state<timeline_state> timeline_state_in(const json& state) {
  if (state.is_string()) return {parse<timeline_state>(state.get<std::string>(), messages::timeline_states), {}};
  if (!state.is_object() || state.size() != 1 || !state.begin()->is_object()) return {};
  return {parse<timeline_state>(state.begin().key(), messages::timeline_states), state.begin()->value("reason", "")};
}

}  // namespace strata::api
