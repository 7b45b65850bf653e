#include "control/compute_list.hpp"

#include <nlohmann/json.hpp>

#include "control/agents.hpp"
#include "control/compute_views.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"

namespace strata::control {
namespace {

host::compute_listing read(const scope& of) {
  return need(host::registry(of.directory).list(), "can't list the computes");
}

std::string note_on(const listed_compute& of) {
  if (of.state != "interrupted") {
    std::string text = of.status.detail;
    if (of.state == "running")
      for (const auto& each : of.status.notes) text += (text.empty() ? "" : "; ") + each;
    return text;
  }
  return std::string("left by an interrupted command") + (is_up(of.record) ? ", its Postgres is running" : "") +
         "; strata compute stop " + of.record.name + " --remove";
}

}  // namespace

compute_list list_with_states(const scope& of) {
  auto found = read(of);
  const won_terms terms(of);
  compute_list made{.computes = {}, .damaged = std::move(found.damaged)};
  for (auto& each : found.computes) {
    listed_compute one;
    if (has_agent(each)) one.status = status_of(of, each, terms);
    one.state = state_of(of, each, terms);
    one.record = std::move(each);
    one.note = note_on(one);
    made.computes.push_back(std::move(one));
  }
  return made;
}

nlohmann::json list_json(const scope& of) {
  const auto found = read(of);
  const won_terms terms(of);
  nlohmann::json made = nlohmann::json::array();
  for (const auto& each : found.computes) made.push_back(compute_json(of, each, terms));
  for (const auto& each : found.damaged) made.push_back(damaged_json(of, each));
  return made;
}

}  // namespace strata::control
