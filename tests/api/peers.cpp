#include "tests/api/peers.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "messages/errors.hpp"
#include "storage/key_space.hpp"

namespace strata::tests {
namespace {

using namespace messages;
using state_ptr = std::shared_ptr<peer_state>;

caf::error not_here(const char* what) { return to_caf({core::errc::not_found, std::string(what) + " is not here"}); }

timeline_actor::behavior_type timeline_peer(timeline_actor::pointer self, const state_ptr& state) {
  const auto stalled = std::make_shared<std::vector<caf::typed_response_promise<point_resolved>>>();
  return {
      [](const wait_lsn&) { return lsn_reached{}; },
      [](const checkpoint_timeline&) { return timeline_checkpointed{core::lsn(0x2000)}; },
      [](const compact_timeline&) {
        return timeline_compacted{8, 2, 1, 800, 700};
      },
      [state, stalled](const collect_garbage& asked) {
        state->horizon_asked = asked.horizon_bytes;
        for (auto& each : *stalled) each.deliver(state->point);
        stalled->clear();
        return garbage_collected{3, 300, core::lsn(0x1800)};
      },
      [](const lease_lsn&) { return lsn_leased{core::wall_time(std::chrono::seconds(1700000000))}; },
      [=](const resolve_point& asked) -> caf::result<point_resolved> {
        state->point_asked = asked;
        if (state->source_is_stalled && std::holds_alternative<core::wall_time>(asked.at)) {
          stalled->push_back(self->make_response_promise<point_resolved>());
          ++state->points_waiting;
          return stalled->back();
        }
        if (state->refuse_all) return to_caf(*state->refuse_all);
        return state->point;
      },
      [](const hold_lsn&) { return done{}; },
      [state](const get_timeline_info&) { return state->main; },
  };
}

tenant_manager_actor::behavior_type tenants_peer(tenant_manager_actor::pointer self, const state_ptr& state) {
  const auto known = [state](const core::tenant_id& id) { return id == state->tenant.id; };
  // Linked: promises that it holds would keep it.
  const auto timeline =
      self->spawn<caf::linked>([state](timeline_actor::pointer its) { return timeline_peer(its, state); });
  return {
      [=](const get_tenant& asked) -> caf::result<tenant_info> {
        if (!known(asked.tenant)) return not_here("tenant");
        return state->tenant;
      },
      [=](const get_tenant_options& asked) -> caf::result<tenant_options_reply> {
        if (!known(asked.tenant)) return not_here("tenant");
        return tenant_options_reply{state->options};
      },
      [=](const set_tenant_options& asked) {
        state->options = asked.options;
        return done{};
      },
      [=](const create_branch& asked) -> caf::result<timeline_info> {
        if (state->refuse_all) return to_caf(*state->refuse_all);
        state->branch_asked = asked;
        timeline_info made = state->main;
        made.id = asked.id.value_or(core::make_id<core::timeline_id>());
        made.name = asked.name;
        made.ancestor = asked.ancestor;
        made.ancestor_lsn = asked.at.value_or(state->main.last_record_lsn);
        made.source.reset();
        return made;
      },
      [=](const list_timelines&) -> caf::result<timeline_list> {
        if (state->refuse_all) return to_caf(*state->refuse_all);
        return timeline_list{{state->main}};
      },
      [=](const get_timeline& asked) -> caf::result<timeline_info> {
        if (asked.timeline != state->main.id) return not_here("timeline");
        return state->main;
      },
      [=](const change_branch& asked) -> caf::result<timeline_info> {
        if (state->refuse_all) return to_caf(*state->refuse_all);
        timeline_info changed = state->main;
        changed.deletion_protected = asked.deletion_protected.value_or(false);
        if (asked.expires) changed.expires = *asked.expires;
        return changed;
      },
      [=](const reset_branch& asked) -> caf::result<timeline_info> {
        if (state->refuse_all) return to_caf(*state->refuse_all);
        state->reset_asked = asked;
        return state->main;
      },
      [=](const delete_timeline&) -> caf::result<done> {
        if (state->refuse_all) return to_caf(*state->refuse_all);
        return done{};
      },
      [=](const open_timeline& asked) -> caf::result<timeline_opened> {
        if (asked.timeline != state->main.id) return not_here("timeline");
        return timeline_opened{state->store, timeline};
      },
      [=](const add_source& asked) -> caf::result<source_added> {
        if (state->refuse_all) return to_caf(*state->refuse_all);
        state->source_asked = asked;
        return source_added{state->tenant.id, state->main.id};
      },
      [=](const create_tenant& asked) -> caf::result<tenant_created> {
        if (state->refuse_all) return to_caf(*state->refuse_all);
        state->tenant_asked = asked;
        return tenant_created{state->tenant.id, state->main.id, 15, 1000};
      },
      [=](const promote_source& asked) -> caf::result<source_promoted> {
        if (asked.timeline != state->main.id) return not_here("timeline");
        if (!asked.force) return to_caf({core::errc::unavailable, "the source does not answer"});
        return source_promoted{.at = state->main.last_record_lsn, .missing = "all of it", .slots = {}};
      },
      [=](const list_tenants&) { return tenant_list{{state->tenant}}; },
      [=](const delete_tenant&) {
        return tenant_deleted{{{"host=db1", "strata_shop", "nothing answers there", true}}};
      },
      [=](const resume_source& asked) -> caf::result<done> {
        if (asked.timeline != state->main.id) return not_here("timeline");
        return done{};
      },
      [=](const assign_safekeepers& asked) -> caf::result<timeline_safekeepers> {
        if (asked.available.empty()) return to_caf({core::errc::unavailable, "there are no safekeepers"});
        state->safekeepers = {asked.tenant, asked.timeline, {1, asked.available, {}}, state->main.last_record_lsn, {}};
        return *state->safekeepers;
      },
      [=](const get_safekeepers&) -> caf::result<timeline_safekeepers> {
        if (!state->safekeepers) return not_here("configuration");
        return *state->safekeepers;
      },
      [=](const change_safekeepers& asked) -> caf::result<timeline_safekeepers> {
        if (!state->safekeepers) return not_here("configuration");
        state->safekeepers->members = asked.to;
        return *state->safekeepers;
      },
  };
}

basebackup_actor::behavior_type backup_peer(const state_ptr& state) {
  auto next = std::make_shared<std::size_t>(0);
  return {[=](const next_chunk&) -> caf::result<backup_chunk> {
    ++state->parts_asked;
    if (*next < state->archive.size())
      return backup_chunk{std::make_shared<const core::bytes>(state->archive[(*next)++])};
    if (state->archive_failure) return to_caf(*state->archive_failure);
    return backup_chunk{};
  }};
}

backup_factory_actor::behavior_type backups_peer(backup_factory_actor::pointer self, const state_ptr& state) {
  return {[=](const start_backup& asked) -> caf::result<backup_started> {
    if (state->refuse_all) return to_caf(*state->refuse_all);
    state->backup_asked = asked;
    return backup_started{self->spawn([state] { return backup_peer(state); }),
                          asked.at.valid() ? asked.at : state->main.last_record_lsn};
  }};
}

introspector_actor::behavior_type introspector_peer() {
  return {
      [](const list_actors&) {
        return actor_list{{actor_info{7, "pageserver.timeline", "shop/main", 3, "wal", "running", 5, 6, 7, 8, 9, ""}}};
      },
      [](const list_pools&) {
        return pool_list{{pool_info{"wal", 2, 0, 17}}};
      },
  };
}

void fill(storage::timeline_store& store, core::lsn at) {
  const auto put = [&](const core::page_key& key, const core::bytes& value) {
    if (const auto put = store.import_value(key, at, value); !put)
      throw std::runtime_error(core::to_string(put.error()));
  };
  const auto count = [](std::uint32_t number) {
    core::bytes value(4);
    core::store_le(value.data(), number);
    return value;
  };
  put(storage::relation_catalog_key({1663, 5, 16384, pg::fork::main}), count(3));
  put(storage::slru_catalog_key(pg::slru_kind::clog, 0), count(1));
  put(storage::database_catalog_key(1663, 5), core::bytes{1});
  if (const auto done = store.finish_import(at, at); !done) throw std::runtime_error(core::to_string(done.error()));
}

}  // namespace

peers::peers() : home_({.source = storage::source_record{.conninfo = "host=x password=secret", .slot = "s"}}) {
  state_->tenant = {.id = core::make_id<core::tenant_id>(),
                    .name = "shop",
                    .state = messages::tenant_state::active,
                    .generation = core::generation(1),
                    .timeline_count = 1,
                    .layer_bytes = 4096};
  state_->main.tenant = state_->tenant.id;
  state_->main.id = core::make_id<core::timeline_id>();
  state_->main.name = "main";
  state_->main.state = messages::timeline_state::active;
  state_->main.last_record_lsn = core::lsn(0x3B21F08);
  state_->main.pg_major = 15;
  state_->main.follows = wal_from::source;
  state_->main.source = source_status{.gap = wal_gap{core::lsn(0x3B21F08), core::lsn(0x4000000)}};
  state_->main.custom_managers = {{130, core::lsn(0x3B21F00)}};
  fill(*home_.store, state_->main.last_record_lsn);
  state_->store = home_.store;
  tenants_ = system_.spawn([state = state_](tenant_manager_actor::pointer self) { return tenants_peer(self, state); });
  backups_ = system_.spawn([state = state_](backup_factory_actor::pointer self) { return backups_peer(self, state); });
  introspector_ = system_.spawn([] { return introspector_peer(); });
}

peers::~peers() {
  caf::anon_send_exit(tenants_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(backups_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(introspector_, caf::exit_reason::user_shutdown);
}

api::services peers::services() {
  api::services of;
  of.system = &system_;
  of.tenants = tenants_;
  of.backups = backups_;
  of.introspector = introspector_;
  of.safekeepers = [] { return std::vector<consensus::member>{{{1}, "127.0.0.1", 5454}}; };
  of.observe_safekeepers = [state = state_] { return state->observed; };
  of.metrics = [] { return "strata_up 1\n"; };
  of.version = "1.2.3";
  of.directory = "/nowhere";
  of.key = "0123456789abcdef0123456789abcdef";
  return of;
}

std::string peers::tenant_path() const { return "/v1/tenant/" + core::to_string(state_->tenant.id); }
std::string peers::timeline_path() const { return tenant_path() + "/timeline/" + core::to_string(state_->main.id); }

}  // namespace strata::tests
