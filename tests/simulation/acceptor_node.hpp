#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "journal/timeline_journal.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/oracle.hpp"
#include "tests/simulation/world.hpp"
#include "tests/support/simulated_disk.hpp"

namespace strata::tests::simulation {

using journal::timeline_journal;

extern const core::tenant_id the_tenant;
extern const core::timeline_id the_timeline;
extern const consensus::cluster_identity the_cluster;

/// A safekeeper with one timeline: the product's journal over a disk in memory.
class acceptor_node {
 public:
  acceptor_node(world& in, oracle& judge, consensus::node_id id, bool pulled_only);

  [[nodiscard]] consensus::node_id id() const { return id_; }
  /// It runs and has the timeline.
  [[nodiscard]] timeline_journal* journal() const { return up_ ? journal_.get() : nullptr; }
  [[nodiscard]] bool up() const { return up_; }

  /// False: nobody listens.
  bool accept(const std::shared_ptr<connection>& from);
  void told(const consensus::acceptor_input& news);
  /// A copy of another one's timeline.
  void pull(const consensus::acceptor_state& state, const core::bytes& wal);
  void back_up(core::lsn backed_up);

  // -- faults
  /// With the machine everything that is not durable may go; with the process only memory.
  void crash(bool machine);
  void crash_inside(std::uint64_t calls) { calls_until_crash_ = static_cast<std::int64_t>(calls); }
  void fill_disk(micros until) { full_until_ = until; }
  void slow_down(micros until) { slow_until_ = until; }
  void heal();
  /// Everything it has against the oracle.
  void check_content() const;
  [[nodiscard]] const simulated_disk& disk() const { return disk_; }

 private:
  struct letter {
    std::shared_ptr<connection> from;
    consensus::proposer_message message;
    std::shared_ptr<const core::bytes> wal;
  };
  void work_soon(micros delay);
  void work();
  void handle_batch();
  void settle();
  bool take_outcome(const std::shared_ptr<connection>& from, const timeline_journal::outcome& outcome);
  void answer(const std::shared_ptr<connection>& to, const std::vector<consensus::acceptor_message>& replies);
  void fail();
  void restart();
  void disconnect_all(bool silently);
  void guarded(const std::function<void()>& what);
  void after_step();
  [[nodiscard]] timeline_journal::options where() const;

  world& world_;
  oracle& oracle_;
  consensus::node_id id_;
  bool pulled_only_;  ///< the timeline is not created for a proposer
  simulated_disk disk_;
  std::unique_ptr<timeline_journal> journal_;
  bool up_ = true;
  std::uint64_t life_ = 0;  ///< what was begun in an earlier one is void
  bool working_ = false;
  std::deque<letter> inbox_;
  std::vector<std::shared_ptr<connection>> connections_;
  std::shared_ptr<connection> unsettled_;  ///< whose appends are written and not durable
  std::int64_t calls_until_crash_ = -1;
  micros full_until_ = 0;
  micros slow_until_ = 0;

  // What it has promised, to be found again after a crash.
  consensus::term promised_term_;
  core::lsn promised_flush_;
  core::lsn election_point_ = core::lsn::max();  ///< of an election that is being accepted
};

}  // namespace strata::tests::simulation
