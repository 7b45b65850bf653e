#include "tests/simulation/controller.hpp"

#include <algorithm>

namespace strata::tests::simulation {

using consensus::configuration;
using consensus::member;

controller::controller(world& in, network& net, node_list& nodes, configuration first)
    : world_(in), network_(net), nodes_(nodes), members_(std::move(first)) {}

void controller::settle(const configuration& to) {
  members_ = to;
  reports_.clear();
  goal_.reset();
  below_term_.clear();
  world_.trace("members", to.generation, to.members.size(), to.changing() ? 1 : 0);
}

void controller::tick() {
  if (!members_.changing() && world_.chaos && world_.chance(world_.opts().member_change)) begin();
  if (members_.changing()) {
    if (world_.chaos && world_.chance(10)) {
      ++world_.seen.abandoned_changes;
      settle(consensus::abandon_change(members_));
    } else {
      follow();
    }
  }
  // Whoever missed a change hears of it, and a member that was not needed to finish one still gets the timeline.
  for (const auto& node : nodes_)
    ask(
        *node, [to = members_](acceptor_node& at) { at.told(consensus::switch_members{to}); },
        [this](acceptor_node& at, const report& found) {
          if (!found && !members_.changing() && members_.contains(at.id())) pull(at);
        });
}

void controller::begin() {
  // One or two others, or more or fewer: any set of the same kind as at the beginning.
  std::vector<member> to;
  for (const auto& node : nodes_)
    to.push_back({node->id(), "safekeeper", static_cast<std::uint16_t>(node->id().value)});
  std::shuffle(to.begin(), to.end(), world_.generator());
  to.resize(std::min<std::size_t>(to.size(), world_.chance(700) ? world_.opts().acceptors : 3));
  auto joint = consensus::begin_change(members_, std::move(to));
  if (!joint) throw violation("begin_change: " + to_string(joint.error()));
  ++world_.seen.member_changes;
  settle(*joint);
}

void controller::follow() {
  const auto generation = members_.generation;
  for (const auto& node : nodes_) {
    if (!members_.contains(node->id())) continue;
    ask(
        *node,
        [to = members_, goal = goal_, is_below = std::ranges::count(below_term_, node->id()) > 0](acceptor_node& at) {
          at.told(consensus::switch_members{to});
          if (is_below) at.told(consensus::bump_term{goal->in});
        },
        [this, generation](acceptor_node& at, const report& found) {
          if (members_.generation != generation) return;
          if (found)
            reports_[at.id()] = *found;
          else if (goal_)
            pull(at);
        });
  }
  if (world_.opts().broken == sabotage::hasty_members) return settle(consensus::finish_change(members_));
  std::vector<consensus::member_log> reports;
  for (const auto& [id, found] : reports_) reports.push_back(found);
  // No new member is required: a majority of them is all that safety rests on.
  const auto decided = consensus::decide_change(members_, goal_, {}, reports);
  goal_ = decided.goal;
  below_term_ = decided.below_term;
  if (decided.next == consensus::change_step::finish) settle(consensus::finish_change(members_));
}

void controller::pull(acceptor_node& to) {
  // From any that has it. What is missing then comes from a proposer.
  std::vector<acceptor_node*> donors;
  for (const auto& node : nodes_)
    if (members_.contains(node->id()) && node->journal() != nullptr) donors.push_back(node.get());
  if (donors.empty()) return;
  auto& from = *donors[world_.random(donors.size())];
  const auto generation = members_.generation;
  ask(
      from, [](acceptor_node&) {},
      [this, &to, generation](acceptor_node& at, const report& found) {
        if (!found || members_.generation != generation || found->generation != generation) return;
        auto* journal = at.journal();
        if (journal == nullptr) return;
        auto state = journal->state();
        core::bytes wal;
        if (const auto log = journal->log()) {
          state.local_start = std::max(state.local_start, log->begin());
          wal.resize(journal->position().flush_lsn - state.local_start);
          if (!wal.empty() && log->read(state.local_start, wal).value() != wal.size()) return;
        }
        world_.after(world_.latency() * 3, [this, &to, state, wal = std::move(wal)] {
          if (network_.reaches(0, to.id())) to.pull(state, wal);
        });
      });
}

void controller::ask(acceptor_node& node, std::function<void(acceptor_node&)> there,
                     std::function<void(acceptor_node&, const report&)> then) {
  world_.after(world_.latency(), [this, &node, there = std::move(there), then = std::move(then)] {
    if (!node.up() || !network_.reaches(0, node.id())) return;
    there(node);
    if (!node.up() || !then) return;
    report found;
    if (const auto* journal = node.journal()) {
      const auto at = journal->position();
      found = {node.id(), at.generation, at.in, {at.last_log_term, at.flush_lsn}};
    }
    world_.after(world_.latency(), [this, &node, found, then] {
      if (network_.reaches(0, node.id())) then(node, found);
    });
  });
}

}  // namespace strata::tests::simulation
