#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "consensus/membership.hpp"
#include "core/ids.hpp"
#include "messages/interface.hpp"

namespace strata::messages {

/// Something that is still to be done on a safekeeper, for one timeline. It is tried until it succeeds.
struct safekeeper_errand {
  enum class kind : std::uint8_t {
    make,    ///< the safekeeper is a member and has not got the timeline yet
    remove,  ///< the timeline is gone, its WAL is not
  } what = kind::make;
  consensus::node_id on;
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::chrono::milliseconds age{0};  ///< since this server knows of it
  std::string trouble;               ///< what the last attempt failed at; empty: there was none yet
};

struct list_safekeeper_errands {};
struct safekeeper_errand_list {
  std::vector<safekeeper_errand> errands;
};

using safekeeper_errands_actor = actor_interface<answers<list_safekeeper_errands, safekeeper_errand_list>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::list_safekeeper_errands)
STRATA_LOCAL_MESSAGE(strata::messages::safekeeper_errand_list)
