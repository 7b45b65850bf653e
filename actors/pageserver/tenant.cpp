#include "actors/pageserver/tenant.hpp"

#include "actors/pageserver/branch_creator.hpp"
#include "actors/pageserver/import_restarter.hpp"
#include "actors/pageserver/maintenance/circuit_breaker.hpp"
#include "actors/pageserver/source_slots.hpp"
#include "actors/pageserver/tenant_record_writer.hpp"
#include "actors/pageserver/timeline_deleter.hpp"
#include "actors/pageserver/timeline_description.hpp"
#include "actors/pageserver/timeline_table.hpp"
#include "actors/runtime/actor_base.hpp"
#include "config/option_text.hpp"
#include "placement/branch_creation.hpp"
#include "placement/branch_expiry.hpp"
#include "placement/branch_reset.hpp"
#include "placement/tenant_life.hpp"
#include "placement/timeline_deletion.hpp"

namespace strata::actors::pageserver {
namespace {

using messages::timeline_info;
using placement::tenant_admission;
using placement::tenant_effect;
using placement::tenant_need;
using runtime::pool_id;
using runtime::reply;

constexpr std::chrono::seconds expiry_look_interval{1};

struct slots_due {};
using private_tenant = owned_tenant_actor::extend<messages::accepts<slots_due>>;

/// Between attempts to drop the slots of promoted sources.
constexpr std::chrono::seconds slots_interval{30};

class tenant final : public runtime::actor_base<private_tenant> {
 public:
  static constexpr const char* kind = "pageserver.tenant";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  tenant(const runtime::actor_setup& setup, tenant_options options)
      : actor_base(setup),
        record_(std::move(options.record)),
        around_(std::move(options.context)),
        timelines_(record_.name) {}

  void on_start() {
    describe(life_.text());
    load();
  }

  void on_stop() { carry_out(life_.stop()); }

  // -- information ----------------------------------------------------------------------------------------------------

  core::result<messages::tenant_info> on(const messages::get_tenant&) {
    messages::tenant_info info{.id = record_.id,
                               .name = record_.name,
                               .state = life_.state(),
                               .reason = life_.reason(),
                               .generation = record_.generation};
    timelines_.describe(info);
    for (const auto& [name, at] : writer_.record().expired) info.expired.push_back({name, at});
    return info;
  }

  void on(const messages::list_timelines& request, reply<messages::timeline_list> owed) {
    if (!admit(tenant_need::list, request, owed)) return;
    const auto listed = std::make_shared<messages::timeline_list>(timelines_.list());
    const auto missing = std::make_shared<std::size_t>(1);
    const auto one_less = [owed, listed, missing] {
      if (--*missing == 0) owed.deliver(std::move(*listed));
    };
    for (timeline_info& shown : listed->timelines) {
      const auto& actor = timelines_.seek(shown.id)->actor;
      if (!actor) continue;
      ++*missing;
      ask(actor, messages::get_timeline_info{}, [&shown, one_less](core::result<timeline_info> info) {
        shown.state = messages::timeline_state::stopping;
        if (info) shown = *std::move(info);
        one_less();
      });
    }
    one_less();
  }

  void on(const messages::get_timeline& request, reply<timeline_info> owed) {
    if (!admit(tenant_need::timeline, request, owed)) return;
    const auto found = timelines_.find(request.timeline);
    if (!found) return owed.fail(found.error());
    answer_info(**found, owed);
  }

  void on(const messages::open_timeline& request, reply<messages::timeline_opened> owed) {
    if (!admit(tenant_need::timeline, request, owed)) return;
    const auto found = timelines_.find_alive(request.timeline);
    if (!found) return owed.fail(found.error());
    if ((*found)->store->record().state == storage::timeline_state::importing)
      return owed.fail({core::errc::unavailable, "timeline " + (*found)->record.name + " is being imported"});
    owed.deliver({(*found)->store, (*found)->actor});
  }

  /// All other requests for one timeline are forwarded to its actor.
  template <class Request, class Reply>
  requires requires(const Request& request) { request.timeline; }
  void on(const Request& request, reply<Reply> owed) {
    if (!admit(tenant_need::timeline, request, owed)) return;
    const auto found = timelines_.find_alive(request.timeline);
    if (!found) return owed.fail(found.error());
    owed.pass_to((*found)->actor, request);
  }

  core::result<messages::tenant_options_reply> on(const messages::get_tenant_options&) {
    return messages::tenant_options_reply{options_};
  }

  void on(const messages::set_tenant_options& request, reply<> owed) {
    const auto set = [text = config::overrides_of(request.options, around_.defaults)](storage::tenant_record& record) {
      record.options = text;
    };
    writer_.change(set, [this, owed, options = request.options](const core::result<void>& stored) {
      if (!stored) return owed.fail(stored.error());
      options_ = options;
      for (const auto& [id, entry] : timelines_.all())
        if (entry.actor) tell(entry.actor, options_changed{options});
      owed.deliver();
    });
  }

  // -- the source -----------------------------------------------------------------------------------------------------

  void on(const messages::promote_source& request, reply<messages::source_promoted> owed) {
    if (!admit(tenant_need::change, request, owed)) return;
    const auto found = timelines_.find_alive(request.timeline);
    if (!found) return owed.fail(found.error());
    ask((*found)->actor, end_source{request.available, request.force, request.patience},
        [this, owed, id = request.timeline](const core::result<source_ended>& ended) {
          if (!ended) return owed.fail(ended.error());
          core::log_info("source of " + record_.name + " promoted at " + to_string(ended->at));
          drop_ended_slot(id, [owed, ended = *ended](std::optional<messages::slot_left> left) {
            messages::source_promoted made{.at = ended.at, .missing = ended.missing, .slots = {}};
            if (left) made.slots.push_back(*std::move(left));
            owed.deliver(std::move(made));
          });
        });
  }

  void on(const slots_due&) {
    for (const auto& [id, entry] : timelines_.all())
      if (entry.store && entry.store->record().source && !follows_source(entry.store->record()))
        drop_ended_slot(id, [](const std::optional<messages::slot_left>&) {});
  }

  // -- branches -------------------------------------------------------------------------------------------------------

  void on(const messages::create_branch& request, reply<timeline_info> owed) {
    if (!admit(tenant_need::change, request, owed)) return;
    const auto checked = placement::check_creation(
        {.ancestor = request.ancestor, .at = request.at, .name = request.name, .id = request.id},
        timelines_.branches());
    if (!checked) return owed.fail(checked.error());
    if (*checked == placement::creation_check::repeated) return answer_info(*timelines_.seek(*request.id), owed);
    const auto ancestor = timelines_.find_alive(request.ancestor);
    if (!ancestor) return owed.fail(ancestor.error());
    if (request.expires) {
      const auto fit = placement::check_expiry({.id = {}, .name = request.name, .ancestor = request.ancestor},
                                               *request.expires, clock().now());
      if (!fit) return owed.fail(fit.error());
    }
    create({.id = request.id.value_or(core::make_id<core::timeline_id>()),
            .name = request.name,
            .at = request.at,
            .expires = request.expires,
            .logical_wal = request.logical_wal},
           **ancestor, owed);
  }

  void on(const messages::reset_branch& request, reply<timeline_info> owed) {
    if (!admit(tenant_need::change, request, owed)) return;
    const auto found = timelines_.find(request.timeline);
    if (!found) return owed.fail(found.error());
    const auto branches = timelines_.branches();
    auto fit = placement::check_name(request.timeline, request.name, branches);
    if (fit) fit = placement::check_reset(request.timeline, request.keep_as, branches);
    if (!fit) return owed.fail(fit.error());
    timeline_entry& old = **found;
    const auto ancestor = timelines_.find_alive(*old.record.ancestor);
    if (!ancestor) return owed.fail(ancestor.error());
    if (request.check_only) return answer_info(old, owed);
    old.phase = placement::known_branch::phase::replacing;
    create({.id = core::make_id<core::timeline_id>(),
            .name = old.record.name,
            .at = request.at,
            .deletion_protected = old.record.deletion_protected,
            .expires = old.record.expires,
            .logical_wal = old.record.logical_wal,
            .replaces = {{request.timeline, old.store, placement::edit_of_reset(request.keep_as)}}},
           **ancestor, owed);
  }

  void on(const messages::change_branch& request, reply<timeline_info> owed) {
    if (!admit(tenant_need::change, request, owed)) return;
    const auto found = timelines_.find(request.timeline);
    if (!found) return owed.fail(found.error());
    const timeline_entry& entry = **found;
    if (request.expires && *request.expires) {
      const auto fit = placement::check_expiry(
          {.id = request.timeline,
           .name = entry.record.name,
           .ancestor = entry.record.ancestor,
           .deletion_protected = request.deletion_protected.value_or(entry.record.deletion_protected)},
          **request.expires, clock().now());
      if (!fit) return owed.fail(fit.error());
    }
    storage::timeline_edit edit;
    edit.deletion_protected = request.deletion_protected;
    edit.expires = request.expires;
    edit.logical_wal = request.logical_wal;
    // A protected branch does not expire.
    if (request.deletion_protected.value_or(false)) edit.expires.emplace();
    offload(
        pool_id::io, "change branch " + entry.record.name,
        [files = around_.files, store = entry.store, record = entry.record, edit] {
          return store ? store->update(edit) : files->metadata().apply(record.tenant, record.id, edit);
        },
        [this, owed, edit, id = request.timeline](const core::result<void>& changed) {
          if (!changed) return owed.fail(changed.error());
          const auto found = timelines_.find(id);
          if (!found) return owed.fail(found.error());
          storage::apply_to_record(edit, (*found)->record);
          watch_expiry();
          answer_info(**found, owed);
        });
  }

  void on(const messages::delete_timeline& request, reply<> owed) {
    if (!admit(tenant_need::change, request, owed)) return;
    const auto found = timelines_.find(request.timeline);
    if (!found) return owed.fail(found.error());
    const auto branches = timelines_.branches();
    auto fit = placement::check_name(request.timeline, request.name, branches);
    if (fit) fit = placement::check_deletion(request.timeline, branches);
    if (!fit) return owed.fail(fit.error());
    remove(**found, [owed](const core::result<void>& marked) {
      if (!marked) return owed.fail(marked.error());
      owed.deliver();
    });
  }

  void on(const runtime::housekeeping_tick&) {
    const auto now = clock().monotonic();
    if (now < next_expiry_look_ || life_.state() != messages::tenant_state::active) return;
    next_expiry_look_ = now + expiry_look_interval;
    for (const core::timeline_id& id : placement::expired_branches(timelines_.branches(), clock().now()))
      remove(*timelines_.seek(id), [this, name = timelines_.seek(id)->record.name](const core::result<void>& marked) {
        if (!marked) return note_error("delete expired branch " + name, marked.error());
        core::log_info("branch " + record_.name + "/" + name + " has expired and was deleted");
        list_expired(name);
      });
  }

  void on(const retire_tenant& request, reply<tenant_retired> owed) {
    if (!admit(tenant_need::removal, request, owed)) return;
    if (auto free = placement::check_removal(timelines_.branches()); !free) return owed.fail(free.error());
    retired_ = owed;
    carry_out(life_.remove());
  }

 private:
  void carry_out(const placement::tenant_life::effects& effects) {
    describe(life_.text());
    for (const tenant_effect each : effects) switch (each) {
        case tenant_effect::start_timelines:
          for (auto& [id, entry] : timelines_.all())
            if (entry.store) start(entry);
          watch_expiry();
          tell(around_.safekeeper_reconciler, operations_changed{});  // a deletion may have been completed
          tell(self(), slots_due{});
          break;
        case tenant_effect::answer_waiting:
          for (const auto& then : std::exchange(waiting_, {})) guarded("serve a waiting request", then);
          break;
        case tenant_effect::stop_timelines: stop_children([this] { carry_out(life_.timelines_stopped()); }); break;
        case tenant_effect::remove_metadata: writer_.close([this] { remove_metadata(); }); break;
        case tenant_effect::end: quit(); break;
      }
  }

  /// Whether the request can be served now. Otherwise it waits, or was refused.
  template <class Request, class Reply>
  bool admit(tenant_need need, const Request& request, const reply<Reply>& owed) {
    const tenant_admission admission = life_.admit(need);
    if (admission == tenant_admission::wait) waiting_.push_back([this, request, owed] { on(request, owed); });
    if (admission == tenant_admission::refuse) owed.fail(life_.refusal(record_.name));
    return admission == tenant_admission::serve;
  }

  [[nodiscard]] tenant_attachment attachment() const { return {record_.generation, options_}; }

  void answer_info(const timeline_entry& of, const reply<timeline_info>& owed) {
    if (!of.actor) return owed.deliver(describe_broken(of.record, of.reason));
    owed.pass_to(of.actor, messages::get_timeline_info{});
  }

  // -- the timelines' actors ------------------------------------------------------------------------------------------

  void load() {
    auto options = config::apply_overrides(around_.defaults, record_.options, around_.defaults);
    if (!options) return loaded(core::error(options.error()).within("read the tenant's options"));
    options_ = *std::move(options);
    offload(
        pool_id::io, "load tenant " + record_.name,
        [files = around_.files, id = record_.id, as = attachment()] { return files->load(id, as); },
        [this](core::result<std::vector<loaded_timeline>> found) { loaded(std::move(found)); });
  }

  void loaded(core::result<std::vector<loaded_timeline>> found) {
    if (!found) {
      note_error("load", found.error());
      return carry_out(life_.load_failed(core::to_string(found.error())));
    }
    timelines_.add(*std::move(found));
    carry_out(life_.loaded());
  }

  void start(timeline_entry& of) {
    of.actor = spawn_timeline(system(), {.label = child_label(record_.name + "/" + of.record.name),
                                         .store = of.store,
                                         .tenant = options_,
                                         .branch_points = timelines_.branch_points_of(of.record.id),
                                         .housekeeping = around_.housekeeping,
                                         .permits = around_.permits,
                                         .watch = around_.watch,
                                         .reconciler = around_.safekeeper_reconciler,
                                         .receiver = around_.receiver,
                                         .ask_flushed = around_.ask_flushed});
    adopt(of.actor, [this, id = of.record.id](const core::error& why) { ended(id, why); });
  }

  void ended(const core::timeline_id& id, const core::error& why) {
    timeline_entry* entry = timelines_.seek(id);
    if (entry == nullptr) return;
    if (entry->store) entry->record = entry->store->record();
    entry->actor = nullptr;
    entry->store = nullptr;
    entry->reason = core::to_string(why);
    if (entry->deleting() || life_.state() != messages::tenant_state::active) return;
    note_error("timeline " + entry->record.name, why);
    if (entry->record.state == storage::timeline_state::importing) import_failed(*entry);
  }

  void import_failed(timeline_entry& of) {
    const auto pause = of.import_backoff.next();
    of.restarter = spawn_import_restarter(system(), {.label = child_label(record_.name + "/" + of.record.name),
                                                     .record = of.record,
                                                     .attachment = attachment(),
                                                     .files = around_.files,
                                                     .pause = pause});
    adopt(of.restarter);
    ask(of.restarter, restart_import{}, [this, id = of.record.id](const core::result<import_restarted>& restarted) {
      const auto found = timelines_.find(id);
      if (!found || life_.state() != messages::tenant_state::active) return;
      timeline_entry& entry = **found;
      entry.restarter = nullptr;
      if (restarted) {
        entry.store = restarted->store;
        return start(entry);
      }
      note_error("restart an import", restarted.error());
      entry.reason = core::to_string(restarted.error());
      import_failed(entry);
    });
  }

  // -- creation and deletion ------------------------------------------------------------------------------------------

  /// Of a branch that passed its checks.
  void create(branch_creator_options of, const timeline_entry& ancestor, reply<timeline_info> owed) {
    timelines_.creation_began(of.id, of.name, ancestor.record.id);
    of.label = child_label(record_.name + "/" + of.name);
    of.ancestor = ancestor.actor;
    of.ancestor_store = ancestor.store;
    of.files = around_.files;
    of.attachment = attachment();
    const auto creator = spawn_branch_creator(system(), of);
    adopt(creator);
    ask(creator, create_branch_record{},
        [this, owed, id = of.id, name = of.name, old = of.replaces](core::result<branch_record_created> made) {
          timelines_.creation_ended(id);
          if (old) replaced(*old, made.has_value());
          if (!made) return owed.fail(core::error(made.error()).within("create branch " + name));
          auto& entry = timelines_.add(std::move(made->record));
          if (!made->store) {
            entry.reason = core::to_string(made->store.error());
            return owed.fail(core::error(made->store.error()).within("create branch " + name));
          }
          if (life_.state() != messages::tenant_state::active) return owed.fail(life_.refusal(record_.name));
          entry.store = *std::move(made->store);
          start(entry);
          watch_expiry();
          core::log_info("branch " + record_.name + "/" + name + " created at " + to_string(entry.record.ancestor_lsn));
          answer_info(entry, owed);
        });
  }

  /// A creation in the place of this branch has ended; `done`: with a durable record.
  void replaced(const branch_creator_options::predecessor& old, bool done) {
    timeline_entry& entry = *timelines_.seek(old.id);
    entry.phase = placement::known_branch::phase::present;
    if (!done) return;
    storage::apply_to_record(old.edit, entry.record);
    if (entry.record.state == storage::timeline_state::deleting) remove(entry, [](const core::result<void>&) {});
  }

  /// Of a branch that passed its checks: `then` gets a success once the deletion is durable.
  void remove(timeline_entry& entry, std::function<void(const core::result<void>&)> then) {
    entry.phase = placement::known_branch::phase::deleting;
    const auto deleter = spawn_timeline_deleter(system(), {.label = child_label(record_.name + "/" + entry.record.name),
                                                           .record = entry.record,
                                                           .store = entry.store,
                                                           .writer = entry.writer(),
                                                           .files = around_.files});
    adopt(deleter);
    ask(deleter, mark_deleted{},
        [this, id = entry.record.id, then = std::move(then), deleter](const core::result<void>& marked) {
          then(marked);
          if (marked)
            return ask(deleter, finish_deletion{}, [this, id](const core::result<void>&) { deletion_ended(id); });
          timeline_entry& entry = *timelines_.seek(id);
          if (entry.record.state == storage::timeline_state::deleting) return;  // the next start completes it
          entry.phase = placement::known_branch::phase::present;
          // The result of the import was ignored meanwhile.
          if (!entry.actor && entry.record.state == storage::timeline_state::importing) import_failed(entry);
        });
  }

  /// Asks for ticks from the first branch on that can expire.
  void watch_expiry() {
    if (watches_expiry_ ||
        std::ranges::none_of(timelines_.all(), [](const auto& each) { return each.second.record.expires.has_value(); }))
      return;
    watches_expiry_ = true;
    if (around_.housekeeping) tell(around_.housekeeping, runtime::tick_me{self()});
  }

  /// After its deletion: a crash in between leaves the line of the log.
  void list_expired(const std::string& name) {
    const auto add = [name, now = clock().now()](storage::tenant_record& record) {
      record.expired.push_back({name, now});
      if (record.expired.size() > storage::expired_branches_max) record.expired.erase(record.expired.begin());
    };
    writer_.change(add, [this, name](const core::result<void>& stored) {
      if (!stored) note_error("list expired branch " + name, stored.error());
    });
  }

  void deletion_ended(const core::timeline_id& id) {
    if (life_.state() != messages::tenant_state::active) return;
    const auto record = timelines_.seek(id)->record;
    timelines_.forget(id);
    if (record.source) slots_.drop(record, [](const std::optional<messages::slot_left>&) {});
    tell(around_.safekeeper_reconciler, operations_changed{});
    if (!record.ancestor) return;
    if (const auto ancestor = timelines_.find_alive(*record.ancestor))
      tell((*ancestor)->actor, remove_branch_point{id});
  }

  /// Of a promoted source. The record has it until the slot is dropped, or can't be.
  void drop_ended_slot(const core::timeline_id& id, std::function<void(std::optional<messages::slot_left>)> then) {
    const timeline_entry* entry = timelines_.seek(id);
    const auto store = entry == nullptr ? nullptr : entry->store;
    if (!store || !store->record().source) return then(std::nullopt);
    slots_.drop(store->record(), [this, store, then = std::move(then)](std::optional<messages::slot_left> left) {
      if (left && !left->why.empty() && slot_drop_of(store->record())) {
        left->remembered = true;
        tell_self_after(slots_interval, slots_due{});
        return then(std::move(left));
      }
      offload(
          pool_id::io, "forget a promoted source", [store] { return store->update({.forget_source = true}); },
          [this, left = std::move(left), then](const core::result<void>& forgotten) {
            if (!forgotten) note_error("forget a promoted source", forgotten.error());
            then(left);
          });
    });
  }

  void remove_metadata() {
    slots_.drop_all(timelines_.records(), [this](const source_slots::outcome& slots) {
      offload(
          pool_id::io, "remove tenant " + record_.name,
          [files = around_.files, id = record_.id] { return files->remove_tenant(id); },
          [this, slots](const core::result<void>& removed) {
            tell(around_.safekeeper_reconciler, operations_changed{});
            if (removed)
              retired_.deliver({.deleted = {.slots = slots.left}, .drops = slots.later});
            else
              retired_.fail(removed.error());
            carry_out(removed ? life_.removed() : life_.removal_failed(core::to_string(removed.error())));
          });
    });
  }

  const storage::tenant_record record_;  ///< as it was at first; what changes is in writer_
  tenant_context around_;
  config::tenant_options options_;
  placement::tenant_life life_;
  tenant_record_writer writer_{around_.files->metadata(), jobs(), record_};
  timeline_table timelines_;
  std::vector<std::function<void()>> waiting_;  ///< requests until it has loaded
  bool watches_expiry_ = false;
  core::monotonic_time next_expiry_look_{};
  reply<tenant_retired> retired_;
  source_slots slots_{{.drop =
                           [this](const drop_source_slot& slot, source_slots::dropped then) {
                             ask(around_.source_request(system(), child_label("drop slot " + slot.slot)), slot,
                                 std::move(then));
                           },
                       .note = [this](const std::string& doing, const core::error& why) { note_error(doing, why); }}};
};

}  // namespace

owned_tenant_actor spawn_tenant(caf::actor_system& system, tenant_options options) {
  auto label = options.label;
  return runtime::spawn<tenant>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::slots_due)
