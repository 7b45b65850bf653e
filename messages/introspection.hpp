#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/interface.hpp"

namespace strata::messages {

/// One running actor. Times are in microseconds.
struct actor_info {
  std::uint64_t id = 0;
  std::string kind;  ///< "pageserver.timeline"
  std::string name;  ///< the object it manages: "shop/main"
  std::uint64_t parent = 0;
  std::string pool;
  std::string state;  ///< "running", "waiting", or the actor's own description
  std::uint64_t age = 0;
  std::uint64_t handled = 0;  ///< messages
  std::uint64_t mailbox = 0;  ///< messages not yet handled
  std::uint64_t busy = 0;     ///< time in handlers, in total
  std::uint64_t longest = 0;  ///< the longest single handler
  std::string last_error;
};

struct list_actors {};
struct actor_list {
  std::vector<actor_info> actors;
};

/// One worker pool.
struct pool_info {
  std::string name;
  std::uint32_t threads = 0;
  std::uint64_t queued = 0;
  std::uint64_t busy = 0;
};
struct list_pools {};
struct pool_list {
  std::vector<pool_info> pools;
};

using introspector_actor = actor_interface<answers<list_actors, actor_list>, answers<list_pools, pool_list>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::list_actors)
STRATA_LOCAL_MESSAGE(strata::messages::actor_list)
STRATA_LOCAL_MESSAGE(strata::messages::list_pools)
STRATA_LOCAL_MESSAGE(strata::messages::pool_list)
