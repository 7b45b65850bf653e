#pragma once

#include <functional>
#include <vector>

#include "actors/runtime/reply.hpp"
#include "messages/wal_membership.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::actors::pageserver {

/// Assigns and changes the safekeepers of one timeline. One configuration is stored at a time; requests that come
/// meanwhile wait. Part of the timeline actor: everything it needs of that is a function.
class safekeeper_membership {
 public:
  using reply = runtime::reply<messages::timeline_safekeepers>;
  using stored = std::function<void(const core::result<void>&)>;
  struct context {
    std::function<storage::timeline_record()> record;
    std::function<core::result<void>()> check_active;                    ///< the error while it can't be changed
    std::function<void(const consensus::configuration&, stored)> store;  ///< on another thread
    std::function<void(std::function<void()>)> create_on_safekeepers;    ///< those that are away get it later
    std::function<void()> changed;                                       ///< members came or went
    std::function<void()> follow;                                        ///< WAL comes from these members from now on
  };

  explicit safekeeper_membership(context of) : context_(std::move(of)) {}

  void assign(const messages::assign_safekeepers& request, const reply& owed);
  void change(const messages::change_safekeepers& request, const reply& owed);

 private:
  void store(const core::result<consensus::configuration>& to, stored then);

  context context_;
  bool storing_ = false;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace strata::actors::pageserver
