#include "tests/actors/pageserver/pageserver_fixture.hpp"

namespace strata::tests {
namespace {

namespace pageserver = actors::pageserver;
namespace runtime = actors::runtime;
using actors::runtime::actor_base;
using actors::runtime::actor_setup;
using actors::runtime::pool_id;

class played_receiver final : public actor_base<pageserver::wal_receiver_actor> {
 public:
  static constexpr const char* kind = "test.receiver";
  static constexpr pool_id pool = pool_id::wal;
  played_receiver(const actor_setup& setup, played_source* of) : actor_base(setup), source_(*of) {}

 private:
  friend actor_base;
  void on(const pageserver::safekeeper_published&) {}
  void on(const pageserver::timeline_flushed&) {}
  void on(const pageserver::safekeepers_changed&) {}
  void on(const pageserver::wal_wanted&) {}
  void on(const pageserver::source_resumed&) { ++source_.resumed; }
  played_source& source_;
};

class played_request final : public actor_base<pageserver::source_request_actor> {
 public:
  static constexpr const char* kind = "test.source_request";
  static constexpr pool_id pool = pool_id::management;
  played_request(const actor_setup& setup, played_source* of) : actor_base(setup), source_(*of) {}

 private:
  friend actor_base;
  core::result<pageserver::source_probed> on(const pageserver::probe_source&) {
    quit();
    if (source_.refuses) return *source_.refuses;
    return pageserver::source_probed{.system_id = 7, .slot_existed = source_.slot_existed};
  }
  core::result<void> on(const pageserver::drop_source_slot& request) {
    quit();
    if (source_.refuses) return *source_.refuses;
    source_.dropped_slots.push_back(request.slot);
    return {};
  }
  played_source& source_;
};

}  // namespace

pageserver::wal_receiver_actor spawn_played_receiver(caf::actor_system& system,
                                                     pageserver::wal_receiver_options options, played_source& source) {
  auto actor = actors::runtime::spawn<played_receiver>(system, options.label, &source);
  source.receivers.push_back(std::move(options));
  source.receiver_actors.push_back(actor);
  return actor;
}

pageserver::source_request_actor spawn_played_request(caf::actor_system& system, actors::runtime::actor_label label,
                                                      played_source& source) {
  return actors::runtime::spawn<played_request>(system, std::move(label), &source);
}

pageserver::safekeeper_access played_safekeepers::access() {
  const auto reach = [this](consensus::node_id id) -> core::result<keeper*> {
    const auto found = all.find(id.value);
    if (found != all.end() && found->second.up) return &found->second;
    return core::error{core::errc::unavailable, "safekeeper " + std::to_string(id.value) + " is not running"};
  };
  const auto answer = [](const keeper& of) -> core::result<void> {
    if (of.answers) return {};
    return core::error{core::errc::outcome_unknown, "it did not answer"};
  };
  return {.instance = [reach](consensus::node_id id) -> core::result<core::instance_id> {
            STRATA_ASSIGN(const auto* at, reach(id));
            return at->instance;
          },
          .create = [=](consensus::node_id id, const messages::timeline_safekeepers& of,
                        const core::instance_id& instance) -> core::result<void> {
            STRATA_ASSIGN(auto* at, reach(id));
            ++at->made;
            if (instance != at->instance) return core::error{core::errc::conflict, "it was emptied"};
            if (at->deleted.contains(of.timeline)) return core::error{core::errc::conflict, "it was deleted here"};
            at->has.insert(of.timeline);
            return answer(*at);
          },
          .remove = [=](consensus::node_id id, const core::tenant_id&,
                        const core::timeline_id& timeline) -> core::result<void> {
            STRATA_ASSIGN(auto* at, reach(id));
            at->has.erase(timeline);
            at->deleted.insert(timeline);
            return answer(*at);
          }};
}

pageserver_fixture::pageserver_fixture() {
  clock.set(core::wall_time(std::chrono::hours(24 * 365 * 50)));
  housekeeping = actors::runtime::spawn_housekeeping(system(), {.interval = std::chrono::milliseconds(250)});
  start_server();
}

void pageserver_fixture::start_server() {
  metadata = storage::metadata_store::open((directory / "metadata").string(), (directory / "tenants").string()).value();
  layers = std::make_unique<storage::layer_cache>(8u << 20, 64);
  files = std::make_shared<pageserver::tenant_files>(*metadata, *layers, clock, directory.path().string());
  reconciler =
      pageserver::spawn_safekeeper_reconciler(system(), {.label = {}, .files = files, .access = safekeepers.access()});
  pageserver::tenant_context around{.files = files,
                                    .defaults = defaults,
                                    .housekeeping = housekeeping,
                                    .safekeeper_reconciler = reconciler,
                                    .permits = std::make_shared<pageserver::work_permits>(1),
                                    .receiver =
                                        [this](caf::actor_system& in, pageserver::wal_receiver_options options) {
                                          return spawn_played_receiver(in, std::move(options), source);
                                        },
                                    .source_request =
                                        [this](caf::actor_system& in, actors::runtime::actor_label label) {
                                          return spawn_played_request(in, std::move(label), source);
                                        },
                                    .ask_flushed = [this](const auto&, const auto&, const auto&) { return flushed; }};
  manager = pageserver::spawn_tenant_manager(system(), {.context = std::move(around)});
  run();
}

void pageserver_fixture::stop_server() {
  if (manager) stop(manager);
  manager = nullptr;
  if (reconciler) stop(reconciler);
  reconciler = nullptr;
  source.receivers.clear();
  source.receiver_actors.clear();
  files.reset();
  layers.reset();
  metadata.reset();
}

messages::source_added pageserver_fixture::add(const std::string& name, core::lsn start) {
  const auto added = get(manager, messages::add_source{.name = name, .conninfo = "host=nowhere"}).value();
  finish_import(start);
  return added;
}

void pageserver_fixture::finish_import(core::lsn start) {
  auto& receiver = source.receivers.back();
  if (auto put = receiver.store->import_value(page(0), start, filled(1)); !put)
    throw std::runtime_error(to_string(put.error()));
  if (auto finished = receiver.store->finish_import(start, start); !finished)
    throw std::runtime_error(to_string(finished.error()));
  tell(receiver.timeline, pageserver::import_finished{});
}

std::shared_ptr<storage::write_batch> pageserver_fixture::batch(std::uint32_t block, core::lsn at, std::uint8_t fill) {
  auto made = std::make_shared<storage::write_batch>();
  made->put_image(page(block), at, filled(fill));
  made->finish_record(at - 8, at);
  return made;
}

core::page_key pageserver_fixture::page(std::uint32_t block) {
  return storage::relation_page_key({1663, 5, 16384, pg::fork::main}, block);
}

messages::timeline_opened pageserver_fixture::open(const messages::source_added& of,
                                                   const core::timeline_id& timeline) {
  return get(manager, messages::open_timeline{of.tenant, timeline}).value();
}

int pageserver_fixture::read(const storage::timeline_store& store, std::uint32_t block, core::lsn at) {
  core::bytes bytes(pg::page_size);
  storage::page_read read{page(block), bytes, {}};
  store.read_pages({&read, 1}, at, storage::read_mode::may_block);
  // The header is redo's: a byte of the contents tells the versions apart.
  return read.failure ? -1 : bytes[4000];
}

messages::timeline_info pageserver_fixture::info(const core::tenant_id& tenant, const core::timeline_id& timeline) {
  return get(manager, messages::get_timeline{tenant, timeline}).value();
}

std::string pageserver_fixture::timeline_directory(const core::tenant_id& tenant,
                                                   const core::timeline_id& timeline) const {
  return files->timeline_directory(tenant, timeline);
}

}  // namespace strata::tests
