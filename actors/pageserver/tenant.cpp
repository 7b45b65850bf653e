#include "actors/pageserver/tenant.hpp"

#include <algorithm>
#include <map>

#include "actors/pageserver/maintenance/circuit_breaker.hpp"
#include "actors/pageserver/timeline_description.hpp"
#include "actors/runtime/actor_base.hpp"
#include "config/branch_spec.hpp"
#include "config/option_text.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::actors::pageserver {
namespace {

struct reimport_due {
  core::timeline_id timeline;
};
using private_tenant = owned_tenant_actor::extend<messages::accepts<reimport_due>>;

}  // namespace
}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::reimport_due)

namespace strata::actors::pageserver {
namespace {

using messages::timeline_info;
using runtime::pool_id;
using runtime::reply;
using storage::timeline_record;
using storage::timeline_state;
using store_ptr = std::shared_ptr<storage::timeline_store>;

/// How long a new branch waits for its point to arrive.
constexpr std::chrono::seconds branch_wait{30};
constexpr std::chrono::seconds reimport_pause_first{1};
constexpr std::chrono::seconds reimport_pause_max{60};

class tenant final : public runtime::actor_base<private_tenant> {
 public:
  static constexpr const char* kind = "pageserver.tenant";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  tenant(const runtime::actor_setup& setup, tenant_options options)
      : actor_base(setup), record_(std::move(options.record)), around_(std::move(options.surroundings)) {}

  void on_start() {
    describe(state_);
    load();
  }

  void on_stop() {
    enter("stopping");
    stop_children([this] { quit(); });
  }

 private:
  friend actor_base;
  struct entry {
    timeline_record record;
    store_ptr store;
    owned_timeline_actor actor;
    std::string broken;  ///< why there is no actor, or what the last import failed at
    int imports_failed = 0;
    bool deleting = false;
    std::function<void()> when_ended;
  };
  /// A branch on its way from request to entry.
  struct branching {
    core::timeline_id id;
    core::timeline_id ancestor;
    std::string name;
    core::lsn at;
    reply<timeline_info> owed;
  };
  using branching_ptr = std::shared_ptr<branching>;

  void enter(std::string state) {
    state_ = std::move(state);
    describe(state_);
  }
  [[nodiscard]] bool active() const { return state_ == "active"; }

  /// Runs `then` now, or once the tenant has loaded.
  void when_loaded(std::function<void()> then) {
    if (state_ == "attaching")
      waiting_.push_back(std::move(then));
    else
      then();
  }

  // -- loading ------------------------------------------------------------------------------------------------------

  void load() {
    auto options = config::apply_overrides(around_.defaults, record_.options, around_.defaults);
    if (!options) return loaded(core::error(options.error()).within("read the tenant's options"));
    options_ = *std::move(options);
    offload(
        pool_id::io, "load tenant " + record_.name,
        [files = around_.files, id = record_.id, options = options_] { return files->load(id, options); },
        [this](core::result<std::vector<loaded_timeline>> found) { loaded(std::move(found)); });
  }

  void loaded(core::result<std::vector<loaded_timeline>> found) {
    if (state_ == "stopping") return;
    if (found) {
      enter("activating");
      for (auto& timeline : *found) {
        auto& entry = timelines_[timeline.record.id];
        entry.record = std::move(timeline.record);
        if (timeline.store)
          entry.store = *std::move(timeline.store);
        else
          entry.broken = core::to_string(timeline.store.error());
      }
      for (auto& [id, entry] : timelines_)
        if (entry.store) start(entry);
      enter("active");
      tell(around_.safekeeper_errands, look_for_errands{});  // a deletion may have been completed
    } else {
      note_error("load", found.error());
      enter("broken: " + core::to_string(found.error()));
    }
    for (const auto& then : std::exchange(waiting_, {})) guarded("serve what waited", then);
  }

  void start(entry& of) {
    std::vector<std::pair<core::timeline_id, core::lsn>> branch_points;
    for (const auto& [id, child] : timelines_)
      if (child.record.ancestor == of.record.id) branch_points.emplace_back(id, child.record.ancestor_lsn);
    of.actor = spawn_timeline(system(), {.label = child_label(record_.name + "/" + of.record.name),
                                         .store = of.store,
                                         .tenant = options_,
                                         .branch_points = std::move(branch_points),
                                         .housekeeping = around_.housekeeping,
                                         .permits = around_.permits,
                                         .watch = around_.watch,
                                         .errands = around_.safekeeper_errands,
                                         .receiver = around_.receiver,
                                         .ask_flushed = around_.ask_flushed});
    adopt(of.actor, [this, id = of.record.id](const core::error& why) { ended(id, why); });
  }

  void ended(const core::timeline_id& id, const core::error& why) {
    const auto found = timelines_.find(id);
    if (found == timelines_.end()) return;
    auto& entry = found->second;
    const auto state = entry.store ? entry.store->record().state : entry.record.state;
    if (entry.store) entry.record = entry.store->record();
    entry.actor = nullptr;
    entry.store = nullptr;
    if (entry.when_ended) return std::exchange(entry.when_ended, nullptr)();
    if (!active()) return;
    note_error("timeline " + entry.record.name, why);
    entry.broken = core::to_string(why);
    if (state != timeline_state::importing) return;
    const auto pause = doubling_pause(++entry.imports_failed, reimport_pause_first, reimport_pause_max);
    // Its files are of no use any more, and may be what filled the disk.
    offload(
        pool_id::io, "discard what a failed import has written",
        [files = around_.files, record = entry.record, options = options_] {
          return files->discard_import(record, options);
        },
        [this, pause, id](const core::result<void>& discarded) {
          if (!discarded) note_error("discard what a failed import has written", discarded.error());
          tell_self_after(pause, reimport_due{id});
        });
  }

  void on(const reimport_due& due) {
    const auto found = timelines_.find(due.timeline);
    if (found == timelines_.end() || found->second.deleting || !active()) return;
    offload(
        pool_id::io, "start the import of " + record_.name + "/" + found->second.record.name + " over",
        [files = around_.files, record = found->second.record, options = options_] {
          return files->open(record, nullptr, options);
        },
        [this, id = due.timeline](core::result<store_ptr> store) {
          const auto found = timelines_.find(id);
          if (found == timelines_.end() || found->second.deleting || !active()) return;
          if (!store) {
            note_error("start an import over", store.error());
            found->second.broken = core::to_string(store.error());
            tell_self_after(reimport_pause_max, reimport_due{id});
            return;
          }
          found->second.store = *std::move(store);
          start(found->second);
        });
  }

  // -- what there is --------------------------------------------------------------------------------------------------

  /// The entry, unless it is missing or being deleted.
  core::result<entry*> find(const core::timeline_id& id) {
    const auto found = timelines_.find(id);
    if (state_.starts_with("broken"))
      return core::error{core::errc::unavailable, "tenant " + record_.name + " is " + state_};
    if (found == timelines_.end() || found->second.deleting)
      return core::error{core::errc::not_found, "tenant " + record_.name + " has no timeline " + to_string(id)};
    return &found->second;
  }
  /// The entry with a living timeline.
  core::result<entry*> find_alive(const core::timeline_id& id) {
    STRATA_ASSIGN(auto* found, find(id));
    if (found->actor) return found;
    const auto code = found->record.state == timeline_state::importing ? core::errc::unavailable : core::errc::corrupt;
    return core::error{code, "timeline " + found->record.name + " is broken: " + found->broken};
  }

  static timeline_info brief(const entry& of) { return describe_broken(of.record, of.broken); }

  void on(const messages::get_tenant&, reply<messages::tenant_info> owed) {
    messages::tenant_info info{
        .id = record_.id, .name = record_.name, .state = state_, .generation = record_.generation};
    for (const auto& [id, entry] : timelines_) {
      if (entry.deleting) continue;
      ++info.timeline_count;
      if (entry.store) info.layer_bytes += entry.store->counters().layer_bytes;
    }
    owed.deliver(std::move(info));
  }

  void on(const messages::list_timelines& request, reply<messages::timeline_list> owed) {
    if (state_ == "attaching") return when_loaded([=, this] { on(request, owed); });
    struct gathering {
      messages::timeline_list list;
      std::size_t missing = 0;
    };
    auto gathered = std::make_shared<gathering>();
    for (const auto& [id, entry] : timelines_)
      if (!entry.deleting) gathered->list.timelines.push_back(brief(entry));
    const auto finish = [owed, gathered] {
      std::sort(gathered->list.timelines.begin(), gathered->list.timelines.end(),
                [](const auto& a, const auto& b) { return std::tie(a.created, a.id) < std::tie(b.created, b.id); });
      owed.deliver(std::move(gathered->list));
    };
    std::vector<std::pair<std::size_t, owned_timeline_actor>> asked;
    for (std::size_t i = 0; i < gathered->list.timelines.size(); ++i)
      if (const auto& actor = timelines_[gathered->list.timelines[i].id].actor) asked.emplace_back(i, actor);
    gathered->missing = asked.size();
    if (asked.empty()) return finish();
    for (const auto& [i, actor] : asked)
      ask(actor, messages::get_timeline_info{}, [i = i, gathered, finish](core::result<timeline_info> info) {
        if (info)
          gathered->list.timelines[i] = *std::move(info);
        else
          gathered->list.timelines[i].state = "stopping";
        if (--gathered->missing == 0) finish();
      });
  }

  void on(const messages::get_timeline& request, reply<timeline_info> owed) {
    if (state_ == "attaching") return when_loaded([=, this] { on(request, owed); });
    const auto found = find(request.timeline);
    if (!found) return owed.fail(found.error());
    if (!(*found)->actor) return owed.deliver(brief(**found));
    owed.pass_to((*found)->actor, messages::get_timeline_info{});
  }

  void on(const messages::open_timeline& request, reply<messages::timeline_opened> owed) {
    if (state_ == "attaching") return when_loaded([=, this] { on(request, owed); });
    const auto found = find_alive(request.timeline);
    if (!found) return owed.fail(found.error());
    if ((*found)->store->record().state == timeline_state::importing)
      return owed.fail({core::errc::unavailable, "timeline " + (*found)->record.name + " is being imported"});
    owed.deliver({(*found)->store, (*found)->actor});
  }

  void on(const messages::assign_safekeepers& request, reply<messages::timeline_safekeepers> owed) {
    pass_to_timeline(request, owed);
  }
  void on(const messages::get_safekeepers& request, reply<messages::timeline_safekeepers> owed) {
    pass_to_timeline(request, owed);
  }
  void on(const messages::change_safekeepers& request, reply<messages::timeline_safekeepers> owed) {
    pass_to_timeline(request, owed);
  }
  void on(const messages::resume_source& request, reply<messages::done> owed) { pass_to_timeline(request, owed); }
  template <class Request, class Reply>
  void pass_to_timeline(const Request& request, reply<Reply> owed) {
    if (state_ == "attaching") return when_loaded([=, this] { pass_to_timeline(request, owed); });
    const auto found = find_alive(request.timeline);
    if (!found) return owed.fail(found.error());
    owed.pass_to((*found)->actor, request);
  }

  // -- options --------------------------------------------------------------------------------------------------------

  core::result<messages::tenant_options_reply> on(const messages::get_tenant_options&) {
    return messages::tenant_options_reply{options_};
  }

  void on(const messages::set_tenant_options& request, reply<> owed) {
    auto changed = record_;
    changed.options = config::overrides_of(request.options, around_.defaults);
    offload(
        pool_id::io, "store the options of " + record_.name,
        [files = around_.files, changed] { return files->metadata().put_tenant(changed); },
        [this, owed, changed, options = request.options](const core::result<void>& stored) {
          if (!stored) return owed.fail(stored.error());
          record_ = changed;
          options_ = options;
          for (const auto& [id, entry] : timelines_)
            if (entry.actor) tell(entry.actor, options_changed{options});
          owed.deliver();
        });
  }

  // -- branches -------------------------------------------------------------------------------------------------------

  void on(const messages::create_branch& request, reply<timeline_info> owed) {
    if (state_ == "attaching") return when_loaded([=, this] { on(request, owed); });
    if (auto fit = config::check_name("branch", request.name); !fit) return owed.fail(fit.error());
    for (const auto& [id, entry] : timelines_)
      if (entry.record.name == request.name || (request.id && id == *request.id))
        return repeat_branch(request, entry, owed);
    if (creating_.contains(request.name))
      return owed.fail(
          {request.id ? core::errc::busy : core::errc::conflict, "branch " + request.name + " is being created"});
    const auto ancestor = find_alive(request.ancestor);
    if (!ancestor) return owed.fail(ancestor.error());
    if (!active()) return owed.fail({core::errc::unavailable, "tenant " + record_.name + " is " + state_});

    auto branch = std::make_shared<branching>();
    branch->id = request.id.value_or(core::make_id<core::timeline_id>());
    branch->ancestor = request.ancestor;
    branch->name = request.name;
    branch->owed = owed;
    creating_[request.name] = request.ancestor;
    if (!request.at)
      return ask((*ancestor)->actor, messages::resolve_point{{}, messages::head_wait},
                 [this, branch](const core::result<messages::point_resolved>& head) {
                   if (!head) return branch_failed(branch, head.error());
                   branch->at = head->at;
                   keep_branch_point(branch);
                 });
    branch->at = *request.at;
    ask((*ancestor)->actor, messages::wait_lsn{branch->at, branch_wait},
        [this, branch](const core::result<messages::lsn_reached>& there) {
          if (!there) return branch_failed(branch, there.error());
          keep_branch_point(branch);
        });
  }

  /// The name or the id is taken: fine if it is by the very same branch, which only an id can tell.
  void repeat_branch(const messages::create_branch& request, const entry& taken, const reply<timeline_info>& owed) {
    const bool same = !taken.deleting && taken.record.name == request.name &&
                      taken.record.ancestor == request.ancestor && request.id == taken.record.id &&
                      (!request.at || *request.at == taken.record.ancestor_lsn);
    if (!same)
      return owed.fail({core::errc::conflict, taken.record.name == request.name
                                                  ? "there is a branch " + request.name + " already"
                                                  : "the timeline id belongs to branch " + taken.record.name});
    if (!taken.actor) return owed.deliver(brief(taken));
    owed.pass_to(taken.actor, messages::get_timeline_info{});
  }

  // Before anything else: from here on no collection takes the branch point away (promise 5).
  void keep_branch_point(const branching_ptr& branch) {
    with_ancestor(branch, [&](entry& ancestor) {
      ask(ancestor.actor, messages::add_branch_point{branch->id, branch->at},
          [this, branch](const core::result<void>& kept) {
            if (!kept) return branch_failed(branch, kept.error());
            make_ancestor_durable(branch);
          });
    });
  }

  // A branch must not outlive its history: the ancestor is on disk up to the branch point before the branch is.
  void make_ancestor_durable(const branching_ptr& branch) {
    with_ancestor(branch, [&](entry& ancestor) {
      if (branch->at <= ancestor.store->disk_consistent_lsn()) return store_branch(branch);
      ask(ancestor.actor, messages::checkpoint_timeline{},
          [this, branch](const core::result<messages::timeline_checkpointed>& flushed) {
            if (!flushed) return branch_failed(branch, flushed.error());
            store_branch(branch);
          });
    });
  }

  void store_branch(const branching_ptr& branch) {
    with_ancestor(branch, [&](entry& ancestor) {
      auto record = ancestor.store->record();
      record.id = branch->id;
      record.name = branch->name;
      record.state = timeline_state::active;
      record.ancestor = branch->ancestor;
      record.ancestor_lsn = branch->at;
      record.previous_record_lsn = previous_record(*ancestor.store, branch->at);
      record.disk_consistent_lsn = branch->at;
      record.readable_from = branch->at;
      record.gc_cutoff = {};
      record.created = clock().now();
      record.source = std::nullopt;
      record.safekeepers = std::nullopt;
      record.wal_keepers.clear();
      std::erase_if(record.custom_managers, [&](const auto& seen) { return seen.since > branch->at; });
      offload(
          pool_id::io, "create branch " + record_.name + "/" + branch->name,
          [files = around_.files, record, store = ancestor.store, options = options_]() -> core::result<store_ptr> {
            STRATA_TRY(files->metadata().put_timeline(record));
            return files->open(record, store, options);
          },
          [this, branch, record](core::result<store_ptr> store) {
            if (!store) return branch_failed(branch, store.error());
            admit(branch, record, *std::move(store));
          });
    });
  }

  /// The start of the record that ends at `at`, if that is known: only of the last one.
  static core::lsn previous_record(const storage::timeline_store& store, core::lsn at) {
    const auto previous = store.previous_record_lsn();
    return store.last_record_lsn() == at && previous < at ? previous : core::lsn{};
  }

  void admit(const branching_ptr& branch, const timeline_record& record, store_ptr store) {
    creating_.erase(branch->name);
    auto& entry = timelines_[branch->id];
    entry.record = record;
    entry.store = std::move(store);
    start(entry);
    core::log_info("branch " + record_.name + "/" + branch->name + " made at " + to_string(branch->at));
    branch->owed.pass_to(entry.actor, messages::get_timeline_info{});
  }

  void branch_failed(const branching_ptr& branch, const core::error& why) {
    creating_.erase(branch->name);
    if (const auto ancestor = find_alive(branch->ancestor))
      tell((*ancestor)->actor, messages::remove_branch_point{branch->id});
    branch->owed.fail(core::error(why).within("create branch " + branch->name));
  }

  template <class Then>
  void with_ancestor(const branching_ptr& branch, Then then) {
    const auto ancestor = find_alive(branch->ancestor);
    if (!ancestor) return branch_failed(branch, ancestor.error());
    then(**ancestor);
  }

  // -- deletion -------------------------------------------------------------------------------------------------------

  void on(const messages::delete_timeline& request, reply<> owed) {
    if (state_ == "attaching") return when_loaded([=, this] { on(request, owed); });
    const auto found = find(request.timeline);
    if (!found) return owed.fail(found.error());
    if (const std::string children = children_of(request.timeline); !children.empty())
      return owed.fail({core::errc::conflict, "branch " + (*found)->record.name +
                                                  " has branches of its own: " + children + "; delete them first"});
    auto& entry = **found;
    entry.deleting = true;
    offload(
        pool_id::io, "mark " + entry.record.name + " deleted",
        [files = around_.files, store = entry.store, record = entry.record] {
          const storage::timeline_edit edit{.state = timeline_state::deleting};
          return store ? store->update(edit) : files->metadata().apply(record.tenant, record.id, edit);
        },
        [this, id = request.timeline, owed](const core::result<void>& marked) {
          auto& entry = timelines_[id];
          if (!marked) {
            entry.deleting = false;
            return owed.fail(core::error(marked.error()).within("delete branch " + entry.record.name));
          }
          owed.deliver();
          clear_away(id, entry);
        });
  }

  [[nodiscard]] std::string children_of(const core::timeline_id& id) const {
    std::string names;
    const auto add = [&](const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
    for (const auto& [child, entry] : timelines_)
      if (entry.record.ancestor == id && !entry.deleting) add(entry.record.name);
    for (const auto& [name, ancestor] : creating_)
      if (ancestor == id) add(name);
    return names;
  }

  /// The timeline is marked as deleted: ends its actor, then removes what it had.
  void clear_away(const core::timeline_id& id, entry& entry) {
    const auto remove = [this, id] {
      const auto found = timelines_.find(id);
      const auto record = found->second.record;
      // Until the next start nobody minds what could not be removed.
      offload(
          pool_id::io, "remove " + record_.name + "/" + record.name,
          [files = around_.files, record] { return files->remove_timeline(record.tenant, record.id); },
          [this, record](const core::result<void>& removed) {
            if (!removed) note_error("remove timeline " + record.name, removed.error());
            tell(around_.safekeeper_errands, look_for_errands{});
            if (record.ancestor)
              if (const auto ancestor = find_alive(*record.ancestor))
                tell((*ancestor)->actor, messages::remove_branch_point{record.id});
            timelines_.erase(record.id);
          });
      if (record.source) drop_slot(record, [](const std::optional<messages::slot_left>&) {});
    };
    if (!entry.actor) return remove();
    entry.when_ended = remove;
    stop(entry.actor);
  }

  /// Says to `then` if the slot stays.
  void drop_slot(const timeline_record& of, std::function<void(const std::optional<messages::slot_left>&)> then) {
    const auto& source = *of.source;
    messages::slot_left left{.source = pg::client::redact_conninfo(source.conninfo), .slot = source.slot, .why = {}};
    if (keeps_slot(of)) return then(std::move(left));
    const auto errand = around_.errand(system(), child_label("drop slot " + source.slot));
    // At another server a slot of that name is not ours. 14 can't show whose it is.
    const std::uint64_t system_id = of.major >= pg::major_version::v15 ? of.system_id : 0;
    ask(errand, drop_source_slot{source.conninfo, source.slot, system_id, core::lsn::max()},
        [this, then = std::move(then), left = std::move(left)](const core::result<void>& dropped) mutable {
          if (dropped) return then(std::nullopt);
          note_error("drop slot " + left.slot + " (drop it by hand, it keeps WAL)", dropped.error());
          left.why = dropped.error().detail;
          then(std::move(left));
        });
  }

  void on(const retire_tenant& request, reply<tenant_retired> owed) {
    if (state_ == "attaching") return when_loaded([=, this] { on(request, owed); });
    enter("stopping");
    stop_children([this, owed] {
      struct dropping {
        std::size_t missing = 1;
        tenant_retired done;
      };
      auto drops = std::make_shared<dropping>();
      const auto one_less = [this, owed, drops] {
        if (--drops->missing == 0) remove_all(owed, drops->done);
      };
      for (const auto& [id, entry] : timelines_)
        if (entry.record.source) {
          ++drops->missing;
          drop_slot(entry.record, [drops, one_less, of = entry.record](std::optional<messages::slot_left> left) {
            if (auto later = slot_drop_of(of); left && !left->why.empty() && later) {
              left->remembered = true;
              drops->done.drops.push_back(*std::move(later));
            }
            if (left) drops->done.deleted.slots.push_back(*std::move(left));
            one_less();
          });
        }
      one_less();
    });
  }

  void remove_all(const reply<tenant_retired>& owed, const tenant_retired& done) {
    offload(
        pool_id::io, "remove tenant " + record_.name,
        [files = around_.files, id = record_.id] { return files->remove_tenant(id); },
        [this, owed, done](const core::result<void>& removed) {
          if (!removed) enter("broken: " + core::to_string(removed.error()));
          tell(around_.safekeeper_errands, look_for_errands{});
          if (!removed) return owed.fail(removed.error());
          owed.deliver(done);
          quit();
        });
  }

  storage::tenant_record record_;
  tenant_surroundings around_;
  config::tenant_options options_;
  std::string state_ = "attaching";
  std::vector<std::function<void()>> waiting_;  ///< requests until it has loaded
  std::map<core::timeline_id, entry> timelines_;
  std::map<std::string, core::timeline_id> creating_;  ///< branches under way, and their ancestors
};

}  // namespace

owned_tenant_actor spawn_tenant(caf::actor_system& system, tenant_options options) {
  auto label = options.label;
  return runtime::spawn<tenant>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
