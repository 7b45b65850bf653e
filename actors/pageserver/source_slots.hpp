#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/pageserver/protocol.hpp"
#include "actors/pageserver/slot_drops.hpp"
#include "core/result.hpp"
#include "messages/tenant.hpp"

namespace strata::actors::pageserver {

/// Drops the replication slots of deleted timelines at their sources. Part of the tenant actor: what it needs
/// of that are functions.
class source_slots {
 public:
  using dropped = std::function<void(const core::result<void>&)>;
  struct context {
    std::function<void(const drop_source_slot&, dropped)> drop;
    std::function<void(const std::string& doing, const core::error&)> note;
  };
  /// The result for several slots.
  struct outcome {
    std::vector<messages::slot_left> left;  ///< slots that stay at their sources, for now or for good
    std::vector<slot_drop> later;           ///< those to drop when the source can be reached
  };

  explicit source_slots(context of) : context_(std::move(of)) {}

  /// Passes to `then` the slot if it stays. Precondition: the timeline follows a source.
  void drop(const storage::timeline_record& of, std::function<void(std::optional<messages::slot_left>)> then) const;
  void drop_all(const std::vector<storage::timeline_record>& of, std::function<void(const outcome&)> then) const;

 private:
  context context_;
};

}  // namespace strata::actors::pageserver
