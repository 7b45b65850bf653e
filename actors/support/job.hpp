#pragma once

#include <functional>

#include "actors/support/actor_registry.hpp"
#include "messages/interface.hpp"

namespace strata::actors::support {

/// One function to run; answered with job_done, or with an error when it threw. Use actor_core::offload().
struct run_job {
  std::function<void()> function;
};
struct job_done {};
using job_actor = messages::actor_interface<messages::answers<run_job, job_done>>;

/// Runs one job on a pool and ends.
job_actor spawn_job(caf::actor_system& system, pool_id pool, actor_label label);

}  // namespace strata::actors::support

STRATA_LOCAL_MESSAGE(strata::actors::support::run_job)
STRATA_LOCAL_MESSAGE(strata::actors::support::job_done)
