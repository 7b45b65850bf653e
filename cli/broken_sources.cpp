#include "cli/broken_sources.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/failure.hpp"

namespace strata::cli {

std::vector<source_entry> list_broken_sources(const server_link& server, const std::string& source) {
  auto all = list_sources(server);
  std::erase_if(all, [&](const source_entry& each) {
    return each.broken.empty() || (!source.empty() && each.name != source && each.id != source);
  });
  return all;
}

nlohmann::json broken_json(const std::vector<source_entry>& broken) {
  nlohmann::json made = nlohmann::json::array();
  for (const source_entry& each : broken)
    made.push_back({{"name", each.name}, {"tenant_id", each.id}, {"state", "Broken: " + each.broken}});
  return made;
}

void fail_if_broken(const context& of, const std::vector<source_entry>& broken) {
  if (broken.empty()) return;
  std::string names;
  for (const source_entry& each : broken) names += (names.empty() ? "" : ", ") + each.name;
  const bool metadata = broken.front().broken.find("metadata") != std::string::npos;
  throw failure(exit_code::failure, "corrupt",
                (broken.size() == 1 ? "source " : "sources ") + names + (broken.size() == 1 ? " is" : " are") +
                    " broken; the others serve",
                broken.front().broken,
                metadata ? "strata down; strata metadata rebuild --dir " + of.directory + "; strata up --detach"
                         : "tail " + of.directory + "/strata.log");
}

}  // namespace strata::cli
