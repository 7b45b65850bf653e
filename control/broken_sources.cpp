#include "control/broken_sources.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/failure.hpp"

namespace strata::control {

namespace {

void fail_if_broken(const scope& of, const std::vector<branch_entry>& branches) {
  std::string names;
  std::string why;
  for (const branch_entry& each : branches) {
    if (!each.broken()) continue;
    if (names.empty()) why = each.state().reason;
    names += (names.empty() ? "" : ", ") + each.source.name + "/" + each.name;
  }
  if (names.empty()) return;
  const bool several = names.find(',') != std::string::npos;
  throw failure(
      core::errc::corrupt,
      (several ? "branches " : "branch ") + names + (several ? " are" : " is") + " broken; the others are available",
      why, "tail " + of.directory + "/strata.log");
}

}  // namespace

std::vector<source_entry> list_broken_sources(const server_link& server, const std::string& source) {
  auto all = list_sources(server);
  std::erase_if(all, [&](const source_entry& each) {
    return each.broken.empty() || (!source.empty() && each.name != source && each.id != source);
  });
  return all;
}

std::vector<source_entry> list_empty_sources(const server_link& server, const std::string& source,
                                             const std::vector<branch_entry>& branches) {
  auto all = list_sources(server);
  std::erase_if(all, [&](const source_entry& each) {
    return !each.broken.empty() || each.importing || (!source.empty() && each.name != source && each.id != source) ||
           std::ranges::any_of(branches, [&](const auto& branch) { return branch.source.id == each.id; });
  });
  return all;
}

nlohmann::json broken_json(const std::vector<source_entry>& broken) {
  nlohmann::json made = nlohmann::json::array();
  for (const source_entry& each : broken)
    made.push_back({{"name", each.name}, {"tenant_id", each.id}, {"state", "Broken: " + each.broken}});
  return made;
}

bool is_broken_root(const branch_entry& of) { return of.text("ancestor_timeline_id").empty() && of.broken(); }

void fail_if_broken(const scope& of, const std::vector<source_entry>& broken,
                    const std::vector<branch_entry>& branches) {
  if (broken.empty()) return fail_if_broken(of, branches);
  std::string names;
  for (const source_entry& each : broken) names += (names.empty() ? "" : ", ") + each.name;
  const bool metadata = broken.front().broken.find("metadata") != std::string::npos;
  throw failure(core::errc::corrupt,
                (broken.size() == 1 ? "source " : "sources ") + names + (broken.size() == 1 ? " is" : " are") +
                    " broken; the others are available",
                broken.front().broken,
                metadata ? "strata down; strata metadata rebuild --dir " + of.directory + "; strata up --detach"
                         : "tail " + of.directory + "/strata.log");
}

}  // namespace strata::control
