#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "actors/runtime/io_jobs.hpp"
#include "actors/runtime/reply.hpp"
#include "messages/wal_membership.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// Assigns and changes the safekeepers of one timeline. One configuration is stored at a time; later requests
/// wait. Part of the timeline actor: everything it needs of that is an argument.
class safekeeper_membership {
 public:
  using reply = runtime::reply<messages::timeline_safekeepers>;
  struct context {
    std::function<core::result<void>()> check_active;                  ///< the error while it can't be changed
    std::function<void(std::function<void()>)> create_on_safekeepers;  ///< unreachable ones get it later
    std::function<void()> changed;                                     ///< members were added or removed
    std::function<void()> follow;                                      ///< WAL comes from these members from now on
  };

  safekeeper_membership(std::shared_ptr<storage::timeline_store> store, runtime::io_jobs jobs, context of)
      : store_(std::move(store)), jobs_(std::move(jobs)), context_(std::move(of)) {}

  void assign(const messages::assign_safekeepers& request, const reply& owed);
  void change(const messages::change_safekeepers& request, const reply& owed);

 private:
  /// A root has no branch point: its WAL on its first safekeepers begins at its end.
  [[nodiscard]] storage::timeline_edit edit_to(const consensus::configuration& to) const;
  void store(const core::result<consensus::configuration>& to, runtime::io_jobs::done then);

  std::shared_ptr<storage::timeline_store> store_;
  runtime::io_jobs jobs_;
  context context_;
  bool storing_ = false;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace strata::actors::pageserver
