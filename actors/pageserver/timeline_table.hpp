#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/tenant_files.hpp"
#include "core/backoff.hpp"
#include "core/result.hpp"
#include "messages/tenant.hpp"
#include "placement/known_branch.hpp"
#include "storage/records.hpp"

namespace strata::actors::pageserver {

struct timeline_entry {
  storage::timeline_record record;
  std::shared_ptr<storage::timeline_store> store = {};  ///< null: it can't be opened, or its actor has ended
  owned_timeline_actor actor = {};
  std::string reason = {};  ///< why there is no actor, or why the last import failed
  core::backoff import_backoff{{.first = std::chrono::seconds(1), .longest = std::chrono::seconds(60)}};
  import_restarter_actor restarter = {};  ///< after a failed import, until the next attempt
  placement::known_branch::phase phase = placement::known_branch::phase::present;

  /// The actor that writes the timeline's files; null: none.
  [[nodiscard]] caf::strong_actor_ptr writer() const {
    return actor ? caf::actor_cast<caf::strong_actor_ptr>(actor) : caf::actor_cast<caf::strong_actor_ptr>(restarter);
  }
  [[nodiscard]] bool deleting() const { return phase == placement::known_branch::phase::deleting; }
};

/// The timelines of one tenant, with the branches that are being created. Part of the tenant actor.
class timeline_table {
 public:
  explicit timeline_table(std::string tenant) : tenant_(std::move(tenant)) {}

  [[nodiscard]] std::map<core::timeline_id, timeline_entry>& all() { return entries_; }
  timeline_entry& add(storage::timeline_record record);
  void add(std::vector<loaded_timeline> loaded);
  void forget(const core::timeline_id& id) { entries_.erase(id); }
  /// Null when there is none.
  timeline_entry* seek(const core::timeline_id& id);
  /// errc::not_found also while it is being deleted.
  core::result<timeline_entry*> find(const core::timeline_id& id);
  /// With an actor; else errc::corrupt, or errc::unavailable while an import is repeated.
  core::result<timeline_entry*> find_alive(const core::timeline_id& id);

  /// Until creation_ended() the name and the id are reserved, and the ancestor can't be deleted.
  void creation_began(const core::timeline_id& id, std::string name, const core::timeline_id& ancestor);
  void creation_ended(const core::timeline_id& id) { creations_.erase(id); }

  [[nodiscard]] std::vector<storage::timeline_record> records() const;
  /// Adds the tenant's figures, without timelines that are being deleted.
  void describe(messages::tenant_info& tenant) const;
  /// All that are not being deleted, the oldest first, from their records.
  [[nodiscard]] messages::timeline_list list() const;
  /// Valid until the table changes.
  [[nodiscard]] std::vector<placement::known_branch> branches() const;
  /// Of all children.
  [[nodiscard]] std::vector<std::pair<core::timeline_id, core::lsn>> branch_points_of(
      const core::timeline_id& ancestor) const;

 private:
  struct creation {
    std::string name;
    core::timeline_id ancestor;
  };
  std::string tenant_;
  std::map<core::timeline_id, timeline_entry> entries_;
  std::map<core::timeline_id, creation> creations_;
};

}  // namespace strata::actors::pageserver
