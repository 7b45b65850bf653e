#pragma once

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "api/services.hpp"
#include "tests/support/timeline_home.hpp"

namespace strata::tests {

/// What the actors at the other end of the API hold, and what they were asked. Set before the first request, read after
/// the answer.
struct peer_state {
  messages::tenant_info tenant;
  messages::timeline_info main;
  config::tenant_options options;
  std::optional<messages::add_source> source_asked;
  std::optional<messages::create_tenant> tenant_asked;
  std::optional<messages::create_branch> branch_asked;
  std::optional<messages::reset_branch> reset_asked;
  std::optional<messages::start_backup> backup_asked;
  std::optional<messages::timeline_safekeepers> safekeepers;
  std::optional<std::optional<std::uint64_t>> horizon_asked;
  std::optional<messages::resolve_point> point_asked;
  messages::point_resolved point;  ///< what a point is resolved to
  bool source_is_stalled = false;  ///< points wait, until garbage is collected
  std::atomic<std::size_t> points_waiting = 0;
  std::vector<consensus::observed_safekeeper> observed;
  std::optional<core::error> refuse_all;
  std::vector<core::bytes> archive;            ///< parts of an export
  std::optional<core::error> archive_failure;  ///< told behind the last part
  std::uint64_t parts_asked = 0;
  std::shared_ptr<storage::timeline_store> store;
};

/// Small actors with the interfaces that the API speaks to.
class peers {
 public:
  peers();
  ~peers();
  peers(const peers&) = delete;
  peers& operator=(const peers&) = delete;

  [[nodiscard]] api::services services();
  [[nodiscard]] peer_state& state() { return *state_; }
  /// What the timeline holds: a relation of 3 blocks, a segment of clog with one page, a database.
  [[nodiscard]] storage::timeline_store& store() { return *home_.store; }
  [[nodiscard]] std::string tenant_path() const;
  [[nodiscard]] std::string timeline_path() const;

 private:
  timeline_home home_;  // outlives the actors, which hold its store
  caf::actor_system_config config_;
  caf::actor_system system_{config_};
  std::shared_ptr<peer_state> state_ = std::make_shared<peer_state>();
  messages::tenant_manager_actor tenants_;
  messages::backup_factory_actor backups_;
  messages::introspector_actor introspector_;
};

}  // namespace strata::tests
