#pragma once

#include <functional>

#include "actors/runtime/actor_registry.hpp"
#include "messages/interface.hpp"

namespace strata::actors::runtime {

/// One function to run; answered with job_done, or with an error when it threw. Use actor_core::offload().
struct run_job {
  std::function<void()> function;
};
struct job_done {};
using job_actor = messages::actor_interface<messages::answers<run_job, job_done>>;

/// Runs one job on a pool and ends.
job_actor spawn_job(caf::actor_system& system, pool_id pool, actor_label label);

}  // namespace strata::actors::runtime

STRATA_LOCAL_MESSAGE(strata::actors::runtime::run_job)
STRATA_LOCAL_MESSAGE(strata::actors::runtime::job_done)
