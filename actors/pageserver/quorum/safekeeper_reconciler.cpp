#include "actors/pageserver/quorum/safekeeper_reconciler.hpp"

#include <algorithm>
#include <list>

#include "actors/pageserver/quorum/safekeeper_assignment.hpp"
#include "actors/runtime/actor_base.hpp"

namespace strata::actors::pageserver {
namespace {

struct operations_due {};
struct creation_overdue {
  std::uint64_t number = 0;
};
using private_reconciler =
    owned_reconciler_actor::extend<messages::accepts<operations_due>, messages::accepts<creation_overdue>>;

}  // namespace
}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::operations_due)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::creation_overdue)

namespace strata::actors::pageserver {
namespace {

using runtime::pool_id;
using runtime::reply;
using storage::wal_keeper;

constexpr std::chrono::milliseconds again{1000};
constexpr std::chrono::milliseconds begin_limit{2000};

// -- blocking

/// nullopt if it need not be created there any more: the current record decides, not the one from which the operation
/// was created.
core::result<std::optional<wal_keeper>> keeper_to_create(storage::metadata_store& metadata, const operation& of,
                                                         std::optional<storage::timeline_record>& record) {
  auto read = metadata.timeline(of.tenant, of.timeline);
  if (!read && read.error().code == core::errc::not_found) return std::optional<wal_keeper>();
  if (!read) return read.error();
  record = *std::move(read);
  for (const wal_keeper& each : storage::keepers_to_create(*record))
    if (each.id == of.on) return std::optional(each);
  return std::optional<wal_keeper>();
}

/// In this order: a crash after the second step repeats it on the same instance, where it does no harm; a safekeeper
/// that lost the timeline in between is another instance and refuses.
core::result<void> create_timeline(storage::metadata_store& metadata, const safekeeper_access& access,
                                   const operation& of) {
  std::optional<storage::timeline_record> record;
  STRATA_ASSIGN(auto keeper, keeper_to_create(metadata, of, record));
  if (!keeper) return {};
  if (!keeper->instance.valid()) {
    STRATA_ASSIGN(keeper->instance, access.instance(of.on));
    STRATA_TRY(metadata.apply(of.tenant, of.timeline, {.wal_keeper_seen = *keeper}));
  }
  STRATA_ASSIGN(const auto order, safekeepers_of(*record));
  STRATA_TRY(access.create(of.on, order, keeper->instance));
  keeper->created = true;
  return metadata.apply(of.tenant, of.timeline, {.wal_keeper_seen = *keeper});
}

core::result<void> carry_out(const tenant_files& files, const safekeeper_access& access, const operation& of) {
  auto& metadata = files.metadata();
  if (!access.create) return core::error{core::errc::unavailable, "this server has no safekeepers"};
  if (of.what == messages::pending_operation::kind::create) {
    auto made = create_timeline(metadata, access, of);
    // Deleted meanwhile: the deletion's list includes what was created.
    if (!made && made.error().code == core::errc::not_found && !metadata.timeline(of.tenant, of.timeline)) return {};
    return made;
  }
  STRATA_TRY(access.remove(of.on, of.tenant, of.timeline));
  return metadata.wal_deleted(of.tenant, of.timeline, of.on);
}

// -- the actor

class safekeeper_reconciler final : public runtime::actor_base<private_reconciler> {
 public:
  static constexpr const char* kind = "pageserver.safekeeper_reconciler";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  safekeeper_reconciler(const runtime::actor_setup& setup, safekeeper_reconciler_options options)
      : actor_base(setup),
        files_(std::move(options.files)),
        access_(std::move(options.access)),
        operations_(options.limits) {}

  void on_start() { load(); }

 private:
  friend actor_base;
  struct waiter {
    std::uint64_t number = 0;
    create_wal of;
    reply<messages::done> owed;
    bool seen = false;  ///< the metadata was read since it came
  };

  /// Reading the metadata; outdated: they have changed since it began.
  enum class loading { none, running, outdated };

  core::result<messages::pending_operation_list> on(const messages::list_pending_operations&) {
    return operations_.list(clock().monotonic());
  }
  void on(const operations_changed&) { load(); }
  void on(const create_wal& request, reply<messages::done> owed) {
    waiters_.push_back({++last_waiter_, request, std::move(owed), false});
    tell_self_after(begin_limit, creation_overdue{last_waiter_});
    load();
  }
  void on(const creation_overdue& of) {
    const auto found = std::ranges::find(waiters_, of.number, &waiter::number);
    if (found == waiters_.end()) return;
    found->owed.deliver();
    waiters_.erase(found);
  }

  void load() {
    if (loading_ != loading::none) {
      loading_ = loading::outdated;
      return;
    }
    loading_ = loading::running;
    offload(
        pool_id::io, "load pending operations", [files = files_] { return files->metadata().pending_operations(); },
        [this, newest = last_waiter_](const core::result<storage::pending_wal_operations>& found) {
          const bool outdated = std::exchange(loading_, loading::none) == loading::outdated;
          if (found) {
            operations_.replace(operations_of(*found), clock().monotonic());
            for (auto& each : waiters_) each.seen = each.seen || each.number <= newest;
          } else {
            note_error("load pending operations", found.error());
          }
          unread_ = !found;
          if (outdated) load();
          go_on();
        });
  }

  void go_on() {
    for (const operation& each : operations_.begin(clock().monotonic())) start(each);
    std::erase_if(waiters_, [this](const waiter& each) {
      if (!each.seen || !operations_.tried(each.of.tenant, each.of.timeline)) return false;
      each.owed.deliver();
      return true;
    });
    describe(operations_.size() == 0 ? "" : std::to_string(operations_.size()) + " pending");
    if ((operations_.size() == 0 && !unread_) || std::exchange(ticking_, true)) return;
    tell_self_after(again, operations_due{});
  }
  void on(const operations_due&) {
    ticking_ = false;
    load();
  }

  void start(const operation& of) {
    offload(
        pool_id::io, "reconcile safekeeper " + to_string(of.on),
        [files = files_, access = access_, of] { return carry_out(*files, access, of); },
        [this, of](const core::result<void>& how) {
          const auto told = operations_.ended(of, how, clock().monotonic());
          if (told && how) core::log_info(std::string(kind) + ": " + *told + ": done");
          if (told && !how) note_error(*told, how.error());
          go_on();
        });
  }

  std::shared_ptr<tenant_files> files_;
  safekeeper_access access_;
  pending_operations operations_;
  std::list<waiter> waiters_;
  std::uint64_t last_waiter_ = 0;
  loading loading_ = loading::none;
  bool unread_ = false;  ///< the metadata could not be read
  bool ticking_ = false;
};

}  // namespace

owned_reconciler_actor spawn_safekeeper_reconciler(caf::actor_system& system, safekeeper_reconciler_options options) {
  auto label = options.label;
  return runtime::spawn<safekeeper_reconciler>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
