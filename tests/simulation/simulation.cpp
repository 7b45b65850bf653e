#include "tests/simulation/simulation.hpp"

#include <algorithm>

#include "tests/simulation/compute.hpp"

namespace strata::tests::simulation {
namespace {

constexpr micros heals_within = 120 * second;

class cluster {
 public:
  cluster(const simulation::options& of, bool talkative) : world_(of), network_(world_), oracle_(world_) {
    world_.talkative = talkative;
    const auto& options = world_.opts();
    consensus::configuration first{1, {}, std::nullopt};
    for (std::uint64_t id = 1; id <= options.acceptors + options.spares; ++id) {
      nodes_.push_back(std::make_unique<acceptor_node>(world_, oracle_, consensus::node_id{id},
                                                       options.pulled_only && id > options.acceptors));
      if (id <= options.acceptors) first.members.push_back({{id}, "safekeeper", static_cast<std::uint16_t>(id)});
    }
    controller_ = std::make_unique<controller>(world_, network_, nodes_, first);
    const core::lsn start(3 * std::uint64_t{segment_size} - options.before_segment_end);
    for (std::uint64_t place = 1; place <= options.proposers; ++place)
      computes_.push_back(std::make_unique<compute>(world_, network_, oracle_, *controller_, nodes_, start, place));
  }

  void run() {
    for (const auto& each : computes_)
      world_.after(static_cast<micros>(world_.random(1500 * millisecond)), [&each] { each->start(); });
    every(100 * millisecond, [this] { break_something(); });
    every(300 * millisecond, [this] { controller_->tick(); });
    every(200 * millisecond, [this] { spread_news(); });
    while (world_.now() < world_.opts().duration && world_.step()) continue;
    heal();
    const auto behind = oracle_.committed();
    const auto deadline = world_.now() + heals_within;
    bool stopped = false;
    while (!is_healed(behind)) {
      if (!world_.step() || world_.now() > deadline)
        throw violation("it does not heal: " + std::to_string(heals_within / second) +
                        " seconds after the last fault " + what_is_missing(behind));
      // It has shown that it can go on; now everybody has to catch up.
      if (!stopped && computes_.front()->goes_on(behind + 1)) {
        stopped = true;
        computes_.front()->stop_writing();
      }
    }
    for (const auto& each : nodes_) each->check_content();
  }
  world& in() { return world_; }
  statistics seen() const {
    auto all = world_.seen;
    for (const auto& each : nodes_) {
      all.sectors_lost += each->disk().counted().sectors_lost;
      all.names_lost += each->disk().counted().names_lost;
    }
    return all;
  }

 private:
  void every(micros interval, std::function<void()> what) {
    world_.after(interval, [this, interval, what] {
      what();
      every(interval, what);
    });
  }
  acceptor_node& any_node() { return *nodes_[world_.random(nodes_.size())]; }

  void break_something() {
    if (!world_.chaos) return;
    const auto& options = world_.opts();
    const auto soon = world_.now() + static_cast<micros>(world_.random(2 * second));
    if (world_.chance(options.machine_crash)) any_node().crash(true);
    if (world_.chance(options.process_crash)) any_node().crash(false);
    if (world_.chance(options.crash_inside)) any_node().crash_inside(world_.random(12));
    if (world_.chance(options.disk_full)) any_node().fill_disk(soon);
    if (world_.chance(options.disk_slow)) {
      ++world_.seen.slow_disks;
      any_node().slow_down(soon);
    }
    if (world_.chance(options.proposer_crash)) computes_[world_.random(computes_.size())]->crash();
    if (world_.chance(options.partition)) {
      ++world_.seen.partitions;
      world_.trace("partition");
      network_.heal();
      if (options.rotating) return isolate_some();
      for (std::uint64_t place = 0; place <= computes_.size(); ++place)
        for (const auto& node : nodes_)
          if (world_.chance(400)) network_.block(place, node->id());
      world_.after(static_cast<micros>(world_.random(2 * second)), [this] { network_.heal(); });
    }
  }

  /// From now on until the next time all proposers reach the same acceptors, often too few.
  void isolate_some() {
    const auto left = 1 + world_.random(nodes_.size());
    for (const auto& node : nodes_) {
      if (world_.chance(1000 * left / nodes_.size())) continue;
      for (std::uint64_t place = 1; place <= computes_.size(); ++place) network_.block(place, node->id());
    }
  }

  /// What brokers do, and a pageserver and an offloader behind them.
  void spread_news() {
    const auto& options = world_.opts();
    if (options.news)
      for (const auto& from : nodes_) {
        const auto* journal = from->journal();
        if (journal == nullptr || !world_.chance(300)) continue;
        const auto at = journal->position();
        auto& to = any_node();
        world_.after(world_.latency(), [this, &to, at] {
          if (network_.reaches(0, to.id()))
            to.told(consensus::timeline_news{.last_log_term = at.last_log_term,
                                             .commit_lsn = at.commit_lsn,
                                             .backup_lsn = at.backup_lsn,
                                             .peer_horizon = at.peer_horizon,
                                             .remote_consistent = at.remote_consistent});
        });
      }
    if (options.removal && oracle_.committed().valid() && world_.chance(200)) {
      auto& node = any_node();
      if (const auto* journal = node.journal()) node.back_up(journal->position().commit_lsn);
    }
  }

  void heal() {
    world_.chaos = false;
    world_.trace("heals");
    network_.heal();
    for (const auto& each : nodes_) each->heal();
    for (std::size_t i = 1; i < computes_.size(); ++i) computes_[i]->retire();
    if (!computes_.front()->running()) computes_.front()->start();
  }

  bool is_healed(core::lsn behind) const { return what_is_missing(behind).empty(); }
  std::string what_is_missing(core::lsn behind) const {
    const auto& leader = *computes_.front();
    if (!leader.goes_on(behind + 1)) return "no proposer commits what it writes";
    if (leader.machine()->commit_lsn() != leader.machine()->written()) return "not all that was written is committed";
    if (controller_->members().changing()) return "the members still change";
    for (const auto& each : controller_->members().members) {
      const auto* journal = nodes_[each.id.value - 1]->journal();
      if (journal == nullptr) return "acceptor " + to_string(each.id) + " has no timeline";
      if (journal->position().commit_lsn != leader.machine()->written())
        return "acceptor " + to_string(each.id) + " is at " + to_string(journal->position().commit_lsn) +
               " instead of " + to_string(leader.machine()->written());
    }
    return {};
  }

  world world_;
  network network_;
  oracle oracle_;
  node_list nodes_;
  std::unique_ptr<controller> controller_;
  std::vector<std::unique_ptr<compute>> computes_;
};

}  // namespace

run_result run(const options& of, bool talkative) {
  run_result result;
  cluster the(of, talkative);
  try {
    the.run();
  } catch (const violation& broken) {
    result.violated = broken.what();
  }
  result.trace_hash = the.in().hash();
  result.seen = the.seen();
  return result;
}

}  // namespace strata::tests::simulation
