#include "actors/pageserver/import_restarter.hpp"

#include "actors/runtime/actor_base.hpp"

namespace strata::actors::pageserver {
namespace {

struct attempt_due {};
using private_restarter = import_restarter_actor::extend<messages::accepts<attempt_due>>;

}  // namespace
}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::attempt_due)

namespace strata::actors::pageserver {
namespace {

using runtime::pool_id;

class import_restarter final : public runtime::actor_base<private_restarter> {
 public:
  static constexpr const char* kind = "pageserver.import_restarter";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  import_restarter(const runtime::actor_setup& setup, import_restarter_options options)
      : actor_base(setup), options_(std::move(options)) {}

  void on_stop() {
    stopping_ = true;
    if (!writing_) quit();
  }

  void on(const restart_import&, runtime::reply<import_restarted> owed) {
    owed_ = owed;
    writing_ = true;
    // Its files are useless, and may be what filled the disk.
    offload(
        pool_id::io, "remove the files of a failed import",
        [files = options_.files, record = options_.record, as = options_.attachment] {
          return files->discard_import(record, as);
        },
        [this](const core::result<void>& discarded) {
          writing_ = false;
          if (!discarded) note_error("remove the files of a failed import", discarded.error());
          if (stopping_) return quit();
          tell_self_after(options_.pause, attempt_due{});
        });
  }

  void on(const attempt_due&) {
    writing_ = true;
    offload(
        pool_id::io, "start the import of " + options_.record.name + " over",
        [files = options_.files, record = options_.record, as = options_.attachment] {
          return files->open(record, nullptr, as);
        },
        [this](core::result<std::shared_ptr<storage::timeline_store>> store) {
          if (store)
            owed_.deliver({*std::move(store)});
          else
            owed_.fail(store.error());
          quit();
        });
  }

 private:
  import_restarter_options options_;
  runtime::reply<import_restarted> owed_;
  bool writing_ = false;
  bool stopping_ = false;
};

}  // namespace

import_restarter_actor spawn_import_restarter(caf::actor_system& system, import_restarter_options options) {
  auto label = options.label;
  return runtime::spawn<import_restarter>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
