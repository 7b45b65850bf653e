#include "actors/pageserver/branch_creator.hpp"

#include "actors/runtime/actor_base.hpp"
#include "placement/branch_creation.hpp"

namespace strata::actors::pageserver {
namespace {

using placement::branch_creation;
using runtime::pool_id;
using store_ptr = std::shared_ptr<storage::timeline_store>;

/// How long a new branch waits for the WAL up to its point.
constexpr std::chrono::seconds branch_wait{30};

class branch_creator final : public runtime::actor_base<branch_creator_actor> {
 public:
  static constexpr const char* kind = "pageserver.branch_creator";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  branch_creator(const runtime::actor_setup& setup, branch_creator_options options)
      : actor_base(setup), options_(std::move(options)) {}

  void on_stop() {
    using enum branch_creation::step;
    stopping_ = true;
    if (creation_.now() != store_record && creation_.now() != open_timeline) quit();
  }

  void on(const create_branch_record&, runtime::reply<branch_record_created> owed) {
    owed_ = owed;
    carry_out();
  }

 private:
  void carry_out() {
    if (stopping_) return quit();
    switch (creation_.now()) {
      case branch_creation::step::find_point: return find_point();
      case branch_creation::step::register_point: return register_point();
      case branch_creation::step::flush_ancestor: return flush_ancestor();
      case branch_creation::step::store_record: return store_record();
      case branch_creation::step::open_timeline: return open_timeline();
      case branch_creation::step::created:
      case branch_creation::step::failed: return end();
    }
  }

  void find_point() {
    if (!options_.at)
      return ask(options_.ancestor, messages::resolve_point{{}, messages::head_wait},
                 [this](const core::result<messages::point_resolved>& head) {
                   next(head, [&] { creation_.point_found(head->at); });
                 });
    ask(options_.ancestor, messages::wait_lsn{*options_.at, branch_wait},
        [this](const core::result<messages::lsn_reached>& there) {
          next(there, [&] { creation_.point_found(*options_.at); });
        });
  }

  void register_point() {
    ask(options_.ancestor, add_branch_point{options_.id, creation_.at()}, [this](const core::result<void>& kept) {
      next(kept, [&] { creation_.point_registered(options_.ancestor_store->disk_consistent_lsn()); });
    });
  }

  void flush_ancestor() {
    ask(options_.ancestor, messages::checkpoint_timeline{},
        [this](const core::result<messages::timeline_checkpointed>& flushed) {
          next(flushed, [&] { creation_.ancestor_flushed(options_.ancestor_store->disk_consistent_lsn()); });
        });
  }

  void store_record() {
    record_ =
        placement::branch_record(options_.ancestor_store->record(), {.id = options_.id,
                                                                     .name = options_.name,
                                                                     .at = creation_.at(),
                                                                     .previous_record = previous_record(),
                                                                     .created = clock().now(),
                                                                     .deletion_protected = options_.deletion_protected,
                                                                     .expires = options_.expires,
                                                                     .logical_wal = options_.logical_wal});
    offload(
        pool_id::io, "store branch " + options_.name,
        [files = options_.files, record = record_, old = options_.replaces]() -> core::result<void> {
          if (!old) return files->metadata().put_timeline(record);
          if (old->store) return old->store->replace(record, old->edit);
          return files->metadata().replace_timeline(record.tenant, old->id, old->edit, record);
        },
        [this](const core::result<void>& stored) { next(stored, [&] { creation_.record_stored(); }); });
  }

  void open_timeline() {
    offload(
        pool_id::io, "open branch " + options_.name,
        [files = options_.files, record = record_, ancestor = options_.ancestor_store, as = options_.attachment] {
          return files->open(record, ancestor, as);
        },
        [this](core::result<store_ptr> opened) {
          next(opened, [&] {
            store_ = *std::move(opened);
            creation_.timeline_opened();
          });
        });
  }

  /// Known only for the ancestor's last record.
  [[nodiscard]] core::lsn previous_record() const {
    const auto previous = options_.ancestor_store->previous_record_lsn();
    return options_.ancestor_store->last_record_lsn() == creation_.at() && previous < creation_.at() ? previous
                                                                                                     : core::lsn{};
  }

  template <class Outcome, class Input>
  void next(const Outcome& outcome, Input input) {
    if (outcome)
      input();
    else
      creation_.fail(outcome.error());
    carry_out();
  }

  void end() {
    const bool failed = creation_.now() == branch_creation::step::failed;
    if (failed && creation_.leaves_point()) tell(options_.ancestor, remove_branch_point{options_.id});
    if (!creation_.stored())
      owed_.fail(creation_.error());
    else if (failed)
      owed_.deliver({record_, creation_.error()});
    else
      owed_.deliver({record_, std::move(store_)});
    quit();
  }

  branch_creator_options options_;
  branch_creation creation_;
  storage::timeline_record record_;
  store_ptr store_;
  runtime::reply<branch_record_created> owed_;
  bool stopping_ = false;
};

}  // namespace

branch_creator_actor spawn_branch_creator(caf::actor_system& system, branch_creator_options options) {
  auto label = options.label;
  return runtime::spawn<branch_creator>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
