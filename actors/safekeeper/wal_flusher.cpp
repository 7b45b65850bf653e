#include "actors/safekeeper/wal_flusher.hpp"

#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/latency.hpp"

namespace strata::actors::safekeeper {
namespace {

struct round_due {};
using private_flusher = wal_flusher_actor::extend<messages::accepts<round_due>>;

class wal_flusher final : public runtime::actor_base<private_flusher> {
 public:
  static constexpr const char* kind = "safekeeper.wal_flusher";
  static constexpr runtime::pool_id pool = runtime::pool_id::io;

  wal_flusher(const runtime::actor_setup& setup, wal_flusher_options options)
      : actor_base(setup), options_(std::move(options)) {}

 private:
  friend actor_base;
  void on(const keep_wal& request, runtime::reply<wal_kept> owed) {
    waiting_.push_back(request);
    owed_.push_back(std::move(owed));
    // Sent after everything in the mailbox: that joins the round.
    if (waiting_.size() == 1) tell(self(), round_due{});
  }

  void on(const round_due&) {
    const auto work = std::exchange(waiting_, {});
    const auto owed = std::exchange(owed_, {});
    auto done = options_.rounds->run(work);
    for (std::size_t i = 0; i < owed.size(); ++i) {
      if (done)
        owed[i].deliver({std::move((*done)[i])});
      else
        owed[i].fail(done.error());
    }
  }

  wal_flusher_options options_;
  std::vector<keep_wal> waiting_;
  std::vector<runtime::reply<wal_kept>> owed_;
};

}  // namespace

wal_flusher_actor spawn_wal_flusher(caf::actor_system& system, wal_flusher_options options) {
  auto label = options.label;
  return runtime::spawn<wal_flusher>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::round_due)
