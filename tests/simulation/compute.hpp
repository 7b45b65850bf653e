#pragma once

#include <map>
#include <memory>
#include <optional>

#include "consensus/proposer.hpp"
#include "tests/simulation/controller.hpp"

namespace strata::tests::simulation {

/// A place where computes run one after the other: the product's proposer machine, and a Postgres that writes records.
class compute {
 public:
  compute(world& in, network& net, oracle& judge, controller& control, node_list& nodes, core::lsn timeline_start,
          std::uint64_t place);

  void start();
  void crash();
  /// Dies and stays dead.
  void retire();
  /// It leads, and WAL behind this is committed.
  [[nodiscard]] bool goes_on(core::lsn behind) const;
  [[nodiscard]] bool running() const { return machine_ != nullptr; }
  void stop_writing() { writes_ = false; }
  [[nodiscard]] const consensus::proposer* machine() const { return machine_.get(); }

 private:
  struct link {
    std::shared_ptr<connection> over;
    micros heard = 0;
    bool connecting = false;
  };
  void begin(consensus::proposer_options with);
  void end(bool orderly);
  void start_later();
  void feed(const consensus::proposer_input& input);
  void carry_out(const consensus::proposer_effect& effect);
  void send(consensus::node_id to, const consensus::proposer_message& message);
  std::shared_ptr<core::bytes> bytes_of(const consensus::append& message);
  void connect(consensus::node_id to);
  void drop(consensus::node_id to);
  void won(const consensus::election_won& effect);
  void change_members(const consensus::configuration& to);
  void tick(std::uint64_t life);
  void write(std::uint64_t life);

  world& world_;
  network& network_;
  oracle& oracle_;
  controller& controller_;
  node_list& nodes_;
  core::lsn timeline_start_;
  std::uint64_t place_;

  std::unique_ptr<consensus::proposer> machine_;
  std::shared_ptr<written_wal> wal_;
  consensus::node_id donor_;
  bool may_write_ = false;
  bool writes_ = true;
  bool retired_ = false;
  core::lsn announced_;
  std::uint64_t next_record_ = 0;
  std::map<consensus::node_id, link> links_;
  std::uint64_t life_ = 0;  ///< what was begun in an earlier one is void
  std::uint64_t starts_ = 0;
  bool feeding_ = false;
  std::deque<consensus::proposer_input> waiting_;
};

}  // namespace strata::tests::simulation
