#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "consensus/membership.hpp"
#include "tests/simulation/acceptor_node.hpp"
#include "tests/simulation/network.hpp"

namespace strata::tests::simulation {

using node_list = std::vector<std::unique_ptr<acceptor_node>>;

/// Who knows the timeline's members, durably, and changes them:
///   1. begin_change is made durable here; it is told to all until a majority of the old members has taken it over.
///   From
///      then on nothing is committed by the old ones alone, and where they stand bounds what was.
///   2. New members pull the timeline, are told the highest term of the old ones (or a term could be won twice), and
///      catch up. When a majority of them has everything, finish_change is made durable here.
///   3. It is told to everybody, members or not, again and again.
class controller {
 public:
  controller(world& in, network& net, node_list& nodes, consensus::configuration first);

  [[nodiscard]] const consensus::configuration& members() const { return members_; }
  void tick();

 private:
  struct standing {
    consensus::term last_log_term;
    core::lsn flush_lsn;
    auto operator<=>(const standing&) const = default;
  };
  struct report {
    bool has_timeline = false;
    std::uint32_t generation = 0;
    consensus::term in;
    standing at;
  };
  void begin();
  void follow();
  void settle(const consensus::configuration& to);
  /// Runs `there` at the node and `then` with the node's report here, if both ways are open when they are needed.
  void ask(acceptor_node& node, std::function<void(acceptor_node&)> there,
           std::function<void(acceptor_node&, const report&)> then);
  void pull(acceptor_node& to);

  world& world_;
  network& network_;
  node_list& nodes_;
  consensus::configuration members_;
  std::map<consensus::node_id, standing> switched_;  ///< old members in the joint configuration
  consensus::term term_seen_;                        ///< the highest of theirs
  std::optional<standing> target_;                   ///< what new members must have
  std::map<consensus::node_id, bool> caught_up_;
};

}  // namespace strata::tests::simulation
