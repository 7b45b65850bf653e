#include "actors/pageserver/timeline_deleter.hpp"

#include "actors/runtime/actor_base.hpp"
#include "placement/timeline_deletion.hpp"

namespace strata::actors::pageserver {
namespace {

using placement::timeline_deletion;
using runtime::pool_id;

class timeline_deleter final : public runtime::actor_base<timeline_deleter_actor> {
 public:
  static constexpr const char* kind = "pageserver.timeline_deleter";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  timeline_deleter(const runtime::actor_setup& setup, timeline_deleter_options options)
      : actor_base(setup), options_(std::move(options)) {}

  void on_start() { monitor_writer(); }

  void on_stop() {
    stopping_ = true;
    if (!busy_) quit();
  }

  void on(const mark_deleted&, runtime::reply<messages::done> owed) {
    run(
        "mark " + options_.record.name + " deleted",
        [files = options_.files, store = std::exchange(options_.store, nullptr), record = options_.record] {
          const storage::timeline_edit edit{.state = storage::timeline_state::deleting};
          return store ? store->update(edit) : files->metadata().apply(record.tenant, record.id, edit);
        },
        [this, owed](const core::result<void>& marked) {
          if (!marked) owed.fail(core::error(marked.error()).within("delete branch " + options_.record.name));
          if (!marked) return deletion_.fail();
          owed.deliver();
          deletion_.marked(options_.writer != nullptr);
        });
  }

  void on(const finish_deletion&, runtime::reply<messages::done> owed) {
    finished_ = owed;
    carry_out();
  }

 private:
  void monitor_writer() {
    if (!options_.writer) return;
    monitor(options_.writer, [this](const core::error&) {
      options_.writer = nullptr;
      if (deletion_.now() != timeline_deletion::step::end_writer) return;
      deletion_.writer_ended();
      if (finished_) carry_out();
    });
  }

  void carry_out() {
    if (stopping_) return quit();
    const auto& record = options_.record;
    switch (deletion_.now()) {
      case timeline_deletion::step::mark: return;  // when it is requested
      case timeline_deletion::step::end_writer: return stop(options_.writer);
      case timeline_deletion::step::remove_files:
        return run(
            "remove the files of " + record.name,
            [files = options_.files, record] { return files->remove_files(record.tenant, record.id); },
            [this](const core::result<void>& removed) {
              if (removed) return deletion_.files_removed();
              note_error("remove the files of " + options_.record.name, removed.error());
              deletion_.fail();
            });
      case timeline_deletion::step::delete_record:
        return run(
            "delete the record of " + record.name,
            [files = options_.files, record] { return files->metadata().delete_timeline(record.tenant, record.id); },
            [this](const core::result<void>& deleted) {
              if (deleted) return deletion_.record_deleted();
              note_error("delete the record of " + options_.record.name, deleted.error());
              deletion_.fail();
            });
      case timeline_deletion::step::finished:
      case timeline_deletion::step::left_behind: finished_->deliver(); return quit();
      case timeline_deletion::step::not_deleted: return quit();
    }
  }

  template <class Step, class Then>
  void run(const std::string& what, Step step, Then then) {
    busy_ = true;
    offload(pool_id::io, what, std::move(step), [this, then = std::move(then)](const core::result<void>& outcome) {
      busy_ = false;
      then(outcome);
      if (stopping_ || finished_ || deletion_.ended()) carry_out();
    });
  }

  timeline_deleter_options options_;
  timeline_deletion deletion_;
  std::optional<runtime::reply<messages::done>> finished_;  ///< once it is requested
  bool busy_ = false;
  bool stopping_ = false;
};

}  // namespace

timeline_deleter_actor spawn_timeline_deleter(caf::actor_system& system, timeline_deleter_options options) {
  auto label = options.label;
  return runtime::spawn<timeline_deleter>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
