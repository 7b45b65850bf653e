#include "actors/pageserver/tenant_manager.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "actors/pageserver/ingest/cluster_importer.hpp"
#include "actors/pageserver/slot_drop_queue.hpp"
#include "actors/runtime/actor_base.hpp"
#include "config/branch_spec.hpp"
#include "pg/client/database_check.hpp"
#include "placement/cluster_import.hpp"

namespace strata::actors::pageserver {
namespace {

using messages::tenant_info;
using runtime::pool_id;
using runtime::reply;

struct drops_due {};
using private_tenant_manager = messages::tenant_manager_actor::extend<messages::accepts<drops_due>>;

/// As Postgres's own: the time in the upper half, so that those of one machine differ in any case.
std::uint64_t new_system_id() {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(core::system_clock().now().time_since_epoch());
  return static_cast<std::uint64_t>(seconds.count()) << 32 | std::random_device{}();
}

constexpr std::size_t waiting_max = 1024;
constexpr std::chrono::seconds drops_interval{30};

class tenant_manager final : public runtime::actor_base<private_tenant_manager> {
 public:
  static constexpr const char* kind = "pageserver.tenant_manager";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  tenant_manager(const runtime::actor_setup& setup, tenant_manager_options options)
      : actor_base(setup), around_(std::move(options.context)) {}

  void on_start() { load(); }

  void on_stop() {
    stopping_ = true;
    stop_children([this] { quit(); });
  }

  /// All other requests for one tenant are forwarded to its actor.
  template <class Request, class Reply>
  requires requires(const Request& request) { request.tenant; }
  void on(const Request& request, reply<Reply> owed) {
    if (!loaded_) return when_loaded(owed, [=, this] { on(request, owed); });
    const auto found = find(request.tenant);
    if (!found) return owed.fail(found.error());
    owed.pass_to((*found)->actor, request);
  }

  void on(const messages::list_tenants& request, reply<messages::tenant_list> owed) {
    if (!loaded_) return when_loaded(owed, [=, this] { on(request, owed); });
    struct gathering {
      messages::tenant_list list;
      std::size_t missing = 1;
    };
    auto gathered = std::make_shared<gathering>();
    const auto one_less = [owed, gathered] {
      if (--gathered->missing > 0) return;
      std::sort(gathered->list.tenants.begin(), gathered->list.tenants.end(),
                [](const auto& a, const auto& b) { return a.name < b.name; });
      owed.deliver(std::move(gathered->list));
    };
    for (const auto& [id, import] : imports_)
      gathered->list.tenants.push_back({.id = id,
                                        .name = import.name,
                                        .state = messages::tenant_state::importing,
                                        .reason = {},
                                        .generation = core::generation(1),
                                        .layer_bytes = *import.bytes});
    for (const auto& [id, entry] : tenants_) {
      if (entry.now == presence::deleting) continue;
      if (entry.now == presence::broken) {
        gathered->list.tenants.push_back(
            {.id = id, .name = entry.record.name, .state = messages::tenant_state::broken, .reason = entry.reason});
        continue;
      }
      ++gathered->missing;
      ask(entry.actor, messages::get_tenant{id}, [gathered, one_less](core::result<tenant_info> info) {
        if (info) gathered->list.tenants.push_back(*std::move(info));
        one_less();
      });
    }
    one_less();
  }

  void on(const messages::add_source& request, reply<messages::source_added> owed) {
    if (!loaded_) return when_loaded(owed, [=, this] { on(request, owed); });
    if (const auto fit = check_new_name(request.name); !fit) return owed.fail(fit.error());
    auto add = std::make_shared<adding>();
    add->request = request;
    add->owed = owed;
    add->slot_named = !add->request.slot.empty();
    if (!add->slot_named) add->request.slot = default_slot(request.name);
    adding_.insert(request.name);
    const auto source_request = around_.source_request(system(), child_label("probe " + request.name));
    ask(source_request, probe_source{add->request.conninfo, add->request.slot},
        [this, add](const core::result<source_probed>& probed) {
          if (!probed) return adding_failed(add, probed.error());
          add->settings = probed->settings;
          add->slot_existed = probed->slot_existed;
          look_for_database(add, *probed);
        });
  }

  void on(const messages::create_tenant& request, reply<messages::tenant_created> owed) {
    if (!loaded_) return when_loaded(owed, [=, this] { on(request, owed); });
    if (const auto fit = check_new_name(request.name); !fit) return owed.fail(fit.error());
    adding_.insert(request.name);
    offload(
        pool_id::background, "inspect " + request.path,
        [path = request.path] { return storage::mapping::inspect_stopped_cluster(path); },
        [this, request, owed](core::result<storage::mapping::stopped_cluster> found) {
          if (found) return import(request, *std::move(found), owed);
          adding_.erase(request.name);
          owed.fail(found.error());
        });
  }

  void on(const messages::delete_tenant& request, reply<messages::tenant_deleted> owed) {
    if (!loaded_) return when_loaded(owed, [=, this] { on(request, owed); });
    const auto found = find(request.tenant);
    if (!found) return owed.fail(found.error());
    (*found)->now = presence::deleting;
    ask((*found)->actor, retire_tenant{}, [this, owed, id = request.tenant](core::result<tenant_retired> retired) {
      if (!retired) {
        auto& entry = tenants_[id];
        entry.now = entry.actor ? presence::served : presence::broken;
        return owed.fail(retired.error());
      }
      tenants_.erase(id);
      if (retired->drops.empty()) return owed.deliver(retired->deleted);
      leftover_slots_.add(retired->drops, [owed, deleted = retired->deleted](const core::result<void>& stored) mutable {
        if (!stored)
          for (auto& left : deleted.slots) left.remembered = false;
        owed.deliver(std::move(deleted));
      });
    });
  }

  void on(const drops_due&) {
    tell_self_after(drops_interval, drops_due{});
    leftover_slots_.drop_next();
  }

 private:
  /// Handling of requests for a tenant.
  enum class presence { served, deleting, broken };
  struct entry {
    storage::tenant_record record;
    owned_tenant_actor actor;
    presence now = presence::served;
    std::string reason;  ///< why it is broken
  };
  /// A source that is being added.
  struct adding {
    messages::add_source request;
    storage::tenant_record tenant;
    storage::timeline_record timeline;
    bool slot_existed = false;
    bool slot_named = false;
    std::vector<messages::source_setting> settings;
    reply<messages::source_added> owed;
  };
  using adding_ptr = std::shared_ptr<adding>;

  // -- starting -------------------------------------------------------------------------------------------------------

  void load() {
    describe("loading");
    offload(
        pool_id::io, "load tenants",
        [files = around_.files]() -> core::result<std::vector<storage::tenant_record>> {
          STRATA_ASSIGN(const auto removed, files->remove_interrupted_imports());
          for (const auto& name : removed)
            core::log_warning("the creation of " + name + " was interrupted: it is removed, and has to be repeated");
          STRATA_ASSIGN(const auto unknown, files->unknown_directories());
          for (const auto& path : unknown)
            core::log_warning("no record names " + path + ": it is kept, unused; remove it if no branch is missing");
          return files->metadata().tenants();
        },
        [this](core::result<std::vector<storage::tenant_record>> found) {
          if (!found) return quit(core::error(found.error()).within("load tenants"));
          for (auto& record : *found) start(std::move(record));
          for (const storage::damaged_tenant& each : around_.files->metadata().damaged()) {
            auto& entry = tenants_[each.id];
            entry.record.id = each.id;
            entry.record.name = each.name;
            entry.now = presence::broken;
            entry.reason = core::to_string(each.why);
          }
          loaded_ = true;
          describe("");
          leftover_slots_.load([this] { tell_self_after(std::chrono::seconds(1), drops_due{}); });
          for (const auto& then : std::exchange(waiting_, {})) guarded("serve a waiting request", then);
        });
  }

  void start(storage::tenant_record record) {
    auto& entry = tenants_[record.id];
    entry.record = record;
    entry.actor =
        spawn_tenant(system(), {.label = child_label(record.name), .record = std::move(record), .context = around_});
    adopt(entry.actor, [this, id = entry.record.id](const core::error& why) {
      const auto found = tenants_.find(id);
      if (found == tenants_.end() || stopping_) return;
      auto& entry = found->second;
      entry.actor = nullptr;
      entry.reason = core::to_string(why);
      if (entry.now == presence::deleting) return;
      note_error("tenant " + entry.record.name, why);
      entry.now = presence::broken;
    });
  }

  /// Runs a handler again once all tenants are known.
  template <class Reply, class Then>
  void when_loaded(const reply<Reply>& owed, Then then) {
    if (waiting_.size() >= waiting_max) return owed.fail({core::errc::busy, "the server is starting"});
    waiting_.push_back(std::move(then));
  }

  // -- requests for one tenant ----------------------------------------------------------------------------------------

  core::result<entry*> find(const core::tenant_id& id) {
    if (const auto import = imports_.find(id); import != imports_.end())
      return core::error{core::errc::unavailable, "tenant " + import->second.name + " is being imported"};
    const auto found = tenants_.find(id);
    if (found == tenants_.end() || found->second.now == presence::deleting)
      return core::error{core::errc::not_found, "there is no tenant " + to_string(id)};
    if (found->second.now == presence::broken)
      return core::error{core::errc::unavailable,
                         "tenant " + found->second.record.name + " is broken: " + found->second.reason};
    return &found->second;
  }

  // -- a new tenant

  core::result<void> check_new_name(const std::string& name) const {
    STRATA_TRY(config::check_name("tenant", name));
    const bool taken = std::any_of(tenants_.begin(), tenants_.end(),
                                   [&](const auto& tenant) { return tenant.second.record.name == name; });
    if (taken || adding_.contains(name)) return core::error{core::errc::conflict, "the name \"" + name + "\" is taken"};
    return {};
  }

  void import(const messages::create_tenant& request, storage::mapping::stopped_cluster from,
              const reply<messages::tenant_created>& owed) {
    const storage::tenant_record tenant{.id = core::make_id<core::tenant_id>(), .name = request.name};
    const auto& control = from.control;
    const auto root = placement::root_record(tenant.id, core::make_id<core::timeline_id>(),
                                             {.major = control.major,
                                              .system_id = request.new_system_id ? new_system_id() : control.system_id,
                                              .wal_segment_size = control.wal_segment_size,
                                              .data_checksums = control.data_checksum_version != 0,
                                              .wal_log_hints = control.wal_log_hints},
                                             clock().now());
    auto& import = imports_[tenant.id];
    import.name = tenant.name;
    const auto importer = spawn_cluster_importer(system(), {.label = child_label("import " + tenant.name),
                                                            .tenant = tenant,
                                                            .root = root,
                                                            .from = std::move(from),
                                                            .files = around_.files,
                                                            .options = around_.defaults,
                                                            .bytes = import.bytes});
    adopt(importer);
    ask(importer, import_cluster{}, [this, tenant, root, owed](const core::result<cluster_imported>& imported) {
      imports_.erase(tenant.id);
      adding_.erase(tenant.name);
      if (!imported) return owed.fail(imported.error());
      if (stopping_) return;
      start(tenant);
      core::log_info("tenant " + tenant.name + " created");
      owed.deliver({tenant.id, root.id, static_cast<int>(root.major), imported->bytes});
    });
  }

  void look_for_database(const adding_ptr& add, const source_probed& probed) {
    offload(
        pool_id::io, "check the database of " + add->request.name,
        [conninfo = add->request.conninfo] { return pg::client::check_database(conninfo, std::chrono::seconds(5)); },
        [this, add, probed](const core::result<void>& found) {
          if (!found) return adding_failed(add, found.error());
          record_source(add, probed);
        });
  }

  void record_source(const adding_ptr& add, const source_probed& probed) {
    leftover_slots_.forget(add->request.slot, probed.system_id);
    add->tenant = {.id = core::make_id<core::tenant_id>(), .name = add->request.name};
    add->timeline = {.tenant = add->tenant.id,
                     .id = core::make_id<core::timeline_id>(),
                     .name = "main",
                     .state = storage::timeline_state::importing,
                     .major = probed.major,
                     .system_id = probed.system_id,
                     .wal_segment_size = probed.wal_segment_size,
                     .data_checksums = probed.data_checksums,
                     .wal_log_hints = probed.wal_log_hints,
                     .created = clock().now(),
                     .source = storage::source_record{.conninfo = add->request.conninfo,
                                                      .slot = add->request.slot,
                                                      .slot_named = add->slot_named,
                                                      .slot_existed = add->slot_existed}};
    offload(
        pool_id::io, "store tenant " + add->tenant.name,
        [files = around_.files, tenant = add->tenant, timeline = add->timeline]() -> core::result<void> {
          // The timeline first: a timeline without a tenant does no harm, a tenant without a timeline would.
          STRATA_TRY(files->metadata().put_timeline(timeline));
          return files->metadata().put_tenant(tenant);
        },
        [this, add](const core::result<void>& stored) {
          if (!stored) return adding_failed(add, stored.error());
          adding_.erase(add->request.name);
          start(add->tenant);
          core::log_info("tenant " + add->tenant.name + " added, slot " + add->request.slot);
          add->owed.deliver({add->tenant.id, add->timeline.id, add->settings});
        });
  }

  void adding_failed(const adding_ptr& add, const core::error& why) {
    adding_.erase(add->request.name);
    add->owed.fail(core::error(why).within("add source " + add->request.name));
  }

  slot_drop_queue::context slot_context() {
    return {.load =
                [this](std::function<void(core::result<slot_drops>)> then) {
                  offload(
                      pool_id::io, "load slots to drop",
                      [files = around_.files] { return load_slot_drops(files->slot_drops_file()); }, std::move(then));
                },
            .store =
                [this](const slot_drops& drops, slot_drop_queue::outcome then) {
                  offload(
                      pool_id::io, "store slots to drop",
                      [files = around_.files, drops] { return store_slot_drops(files->slot_drops_file(), drops); },
                      std::move(then));
                },
            .drop =
                [this](const slot_drop& drop, slot_drop_queue::outcome then) {
                  const auto source_request = around_.source_request(system(), child_label("drop slot " + drop.slot));
                  ask(source_request, drop_source_slot{drop.conninfo, drop.slot, drop.system_id, drop.last_told},
                      std::move(then));
                },
            .note = [this](const std::string& doing, const core::error& why) { note_error(doing, why); }};
  }

  /// A tenant that is being created from files.
  struct running_import {
    std::string name;
    std::shared_ptr<std::atomic<std::uint64_t>> bytes = std::make_shared<std::atomic<std::uint64_t>>(0);
  };

  tenant_context around_;
  std::map<core::tenant_id, entry> tenants_;
  std::map<core::tenant_id, running_import> imports_;
  std::set<std::string> adding_;                ///< names of tenants being added or created
  std::vector<std::function<void()>> waiting_;  ///< requests until all tenants are known
  bool loaded_ = false;
  bool stopping_ = false;
  slot_drop_queue leftover_slots_{slot_context()};
};

}  // namespace

std::string default_slot(std::string_view tenant_name) {
  constexpr std::size_t slot_name_max = 63;
  std::string slot = "strata_";
  for (const char c : tenant_name.substr(0, slot_name_max - slot.size())) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    slot += (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ? lower : '_';
  }
  return slot;
}

messages::tenant_manager_actor spawn_tenant_manager(caf::actor_system& system, tenant_manager_options options) {
  auto label = options.label;
  return runtime::spawn<tenant_manager>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::drops_due)
