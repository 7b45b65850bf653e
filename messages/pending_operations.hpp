#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "consensus/membership.hpp"
#include "core/ids.hpp"
#include "messages/interface.hpp"

namespace strata::messages {

/// Something that is still to be done on a safekeeper, for one timeline. It is tried until it succeeds.
struct pending_operation {
  enum class kind : std::uint8_t {
    create,  ///< the safekeeper is a member and has not got the timeline yet
    remove,  ///< the timeline is gone, its WAL is not
  } what = kind::create;
  consensus::node_id on;
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::chrono::milliseconds age{0};  ///< since this server knows of it
  std::string last_error;            ///< what the last attempt failed at; empty: there was none yet
};

struct list_pending_operations {};
struct pending_operation_list {
  std::vector<pending_operation> operations;
};

using safekeeper_reconciler_actor = actor_interface<answers<list_pending_operations, pending_operation_list>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::list_pending_operations)
STRATA_LOCAL_MESSAGE(strata::messages::pending_operation_list)
