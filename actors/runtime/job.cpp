#include "actors/runtime/job.hpp"

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::runtime {
namespace {

template <pool_id Pool>
class job final : public actor_base<job_actor> {
 public:
  static constexpr const char* kind = "runtime.job";
  static constexpr pool_id pool = Pool;
  explicit job(const actor_setup& setup) : actor_base(setup) {}

 private:
  friend actor_base;
  core::result<job_done> on(const run_job& job) {
    quit();
    // The function is destroyed here, not with the message: its owner may wait for what it holds.
    auto function = job.function;
    const_cast<run_job&>(job).function = nullptr;
    function();
    function = nullptr;
    return job_done{};
  }
};

}  // namespace

job_actor spawn_job(caf::actor_system& system, pool_id pool, actor_label label) {
  switch (pool) {
    case pool_id::background: return spawn<job<pool_id::background>>(system, std::move(label));
    default: return spawn<job<pool_id::io>>(system, std::move(label));
  }
}

}  // namespace strata::actors::runtime
