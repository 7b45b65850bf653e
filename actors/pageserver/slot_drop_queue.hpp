#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "actors/pageserver/slot_drops.hpp"
#include "core/result.hpp"

namespace strata::actors::pageserver {

/// The slots left at sources of removed tenants: stored in a file, and dropped one by one when their
/// sources can be reached. Part of the tenant_manager actor: what it needs of that are functions.
class slot_drop_queue {
 public:
  using outcome = std::function<void(const core::result<void>&)>;
  struct context {
    std::function<void(std::function<void(core::result<slot_drops>)>)> load;
    std::function<void(const slot_drops&, outcome)> store;
    std::function<void(const slot_drop&, outcome)> drop;
    std::function<void(const std::string& doing, const core::error&)> note;
  };

  explicit slot_drop_queue(context of) : context_(std::move(of)) {}

  void load(std::function<void()> then);
  /// Passes to `then` whether they are durable.
  void add(const std::vector<slot_drop>& drops, outcome then);
  /// A new source adopts the slot of this name.
  void forget(const std::string& slot, std::uint64_t system_id);
  /// Tries the one that was tried longest ago; no effect while a try runs.
  void drop_next();

 private:
  /// Calls `then` when the current list is durable, or can't be. One write at a time.
  void store(outcome then);

  context context_;
  slot_drops all_;
  std::vector<outcome> when_stored_;
  bool storing_ = false;
  bool dropping_ = false;
};

}  // namespace strata::actors::pageserver
