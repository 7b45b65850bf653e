#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "actors/compute/control_endpoint.hpp"
#include "actors/runtime/proc_metrics.hpp"
#include "actors/runtime/system.hpp"
#include "api/http_server.hpp"
#include "cli/end_signals.hpp"
#include "control/agents.hpp"
#include "control/scope.hpp"

namespace strata::cli {

/// The control endpoints of a compute, over HTTP on loopback, in the process of its agent.
class control_server {
 public:
  /// How long the endpoints are there after the compute has ended.
  static constexpr std::chrono::seconds farewell{3};

  /// Serves when it is made. A failure names the port that can't be opened.
  control_server(actors::runtime::process_system& system, const control::scope& of, const host::compute_record& record,
                 const std::optional<host::account>& run_as);
  ~control_server();
  control_server(const control_server&) = delete;
  control_server& operator=(const control_server&) = delete;

  [[nodiscard]] const actors::compute::control_endpoint_actor& actor() const { return actor_; }
  [[nodiscard]] std::uint16_t port() const { return http_->port(); }

  /// Call when the compute has ended and nothing of it is held any more. Shows its end until `farewell` is over, a
  /// signal comes, or another agent of the compute begins. Not at all unless somebody has asked before, or it has
  /// failed on a port that the user chose, who may come late.
  void show_end(const end_signals& signals) const;

 private:
  void open(const host::compute_record& record);
  [[nodiscard]] bool has_failed() const;

  actors::runtime::process_system& system_;
  const std::string directory_;  ///< of the compute
  const bool port_is_known_;
  std::shared_ptr<std::atomic<bool>> asked_ = std::make_shared<std::atomic<bool>>(false);
  actors::compute::control_endpoint_actor actor_;
  const actors::runtime::proc_metrics process_metrics_;
  std::unique_ptr<api::http_server> http_;
};

}  // namespace strata::cli
