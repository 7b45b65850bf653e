#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "consensus/membership_change.hpp"
#include "tests/simulation/acceptor_node.hpp"
#include "tests/simulation/network.hpp"

namespace strata::tests::simulation {

using node_list = std::vector<std::unique_ptr<acceptor_node>>;

/// Keeps the timeline's configuration, durably, and drives changes of it as production does, by decide_change():
///   1. begin_change is made durable here and installed on all members until the goal is known.
///   2. New members pull the timeline, get the goal's term, and catch up. When decide_change() says so, finish_change
///   is
///      made durable here.
///   3. It is sent to every node, member or not, again and again.
class controller {
 public:
  controller(world& in, network& net, node_list& nodes, consensus::configuration first);

  [[nodiscard]] const consensus::configuration& members() const { return members_; }
  void tick();

 private:
  using report = std::optional<consensus::member_log>;  ///< nullopt: the node does not have the timeline
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
  std::map<consensus::node_id, consensus::member_log> reports_;  ///< of members, the newest that arrived
  std::optional<consensus::change_goal> goal_;
  std::vector<consensus::node_id> below_term_;
};

}  // namespace strata::tests::simulation
