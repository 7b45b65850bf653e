#include "actors/compute/quorum_report.hpp"

#include <algorithm>

#include "actors/compute/proposer_lifecycle.hpp"

namespace strata::actors::compute {

void describe_quorum(const proposer_status& of, host::agent_status& to) {
  to.generation = of.generation;
  to.term = std::max(to.term, of.in.value);
  to.written_lsn = of.written;
  to.commit_lsn = of.commit;
  to.applied_lsn = of.applied;
  to.safekeepers.clear();
  for (const auto& each : of.acceptors)
    to.safekeepers.push_back({each.of.id.value, each.of.host + ":" + std::to_string(each.of.port),
                              word_for(each.now) + (each.last_error.empty() ? "" : ": " + each.last_error),
                              each.flush_lsn});
}

std::string missing_branches_text(const proposer_status& of, const std::string& branch) {
  std::string text;
  for (const auto& each : of.acceptors) {
    if (!each.lacks_branch) continue;
    const std::string id = to_string(each.of.id);
    text += (text.empty() ? "safekeeper " : "; safekeeper ") + id + ": " + each.last_error +
            "; strata safekeeper replace " + branch + " --from " + id + " --to ID";
  }
  return text;
}

}  // namespace strata::actors::compute
