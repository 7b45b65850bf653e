#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "consensus/membership.hpp"
#include "core/ids.hpp"
#include "messages/interface.hpp"

namespace strata::messages {

/// An operation on one timeline that is pending on a safekeeper. It is retried until it succeeds.
struct pending_operation {
  enum class kind : std::uint8_t {
    create,  ///< the safekeeper is a member, and the timeline is missing on it
    remove,  ///< the timeline was deleted, its WAL was not
  } what = kind::create;
  consensus::node_id on;
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::chrono::milliseconds age{0};  ///< since this process found it
  std::string last_error;            ///< error of the last attempt; empty: none yet
};

struct list_pending_operations {};
struct pending_operation_list {
  std::vector<pending_operation> operations;
};

using safekeeper_reconciler_actor = actor_interface<answers<list_pending_operations, pending_operation_list>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::list_pending_operations)
STRATA_LOCAL_MESSAGE(strata::messages::pending_operation_list)
