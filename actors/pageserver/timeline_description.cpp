#include "actors/pageserver/timeline_description.hpp"

#include "actors/pageserver/ingest/wal_gap.hpp"
#include "config/quantity.hpp"

namespace strata::actors::pageserver {
namespace {

messages::wal_from origin_of(const storage::timeline_record& of) {
  if (follows_source(of)) return messages::wal_from::source;
  return of.safekeepers ? messages::wal_from::safekeepers : messages::wal_from::nowhere;
}

}  // namespace

messages::timeline_info describe_timeline(const storage::timeline_store& store) {
  const auto record = store.record();
  const auto counters = store.counters();
  messages::timeline_info info;
  info.tenant = record.tenant;
  info.id = record.id;
  info.name = record.name;
  info.ancestor = record.ancestor;
  info.ancestor_lsn = record.ancestor_lsn;
  info.last_record_lsn = store.last_record_lsn();
  info.previous_record_lsn = store.previous_record_lsn();
  info.disk_consistent_lsn = store.disk_consistent_lsn();
  info.gc_cutoff = store.gc_cutoff();
  info.pg_major = static_cast<int>(record.major);
  info.layer_bytes = counters.layer_bytes;
  info.layer_count = counters.layers;
  info.l0_layer_count = counters.l0_layers;
  info.memory_bytes = counters.memory_bytes;
  info.created = record.created;
  info.follows = origin_of(record);
  info.safekeepers = record.safekeepers;
  info.custom_managers = custom_managers_of(record);
  info.deletion_protected = record.deletion_protected;
  info.expires = record.expires;
  info.logical_wal = record.logical_wal;
  return info;
}

messages::timeline_info describe_broken(const storage::timeline_record& of, const std::string& why) {
  messages::timeline_info info{.tenant = of.tenant,
                               .id = of.id,
                               .name = of.name,
                               .state = messages::timeline_state::broken,
                               .reason = why,
                               .ancestor = of.ancestor,
                               .ancestor_lsn = of.ancestor_lsn,
                               .last_record_lsn = of.disk_consistent_lsn,
                               .disk_consistent_lsn = of.disk_consistent_lsn,
                               .readable_from = of.readable_from,
                               .gc_cutoff = of.gc_cutoff,
                               .pg_major = static_cast<int>(of.major),
                               .created = of.created,
                               .follows = origin_of(of),
                               .safekeepers = of.safekeepers,
                               .custom_managers = custom_managers_of(of),
                               .deletion_protected = of.deletion_protected,
                               .expires = of.expires,
                               .logical_wal = of.logical_wal};
  if (of.state == storage::timeline_state::importing) {
    info.state = messages::timeline_state::importing;
    info.reason.clear();
    info.last_error = "import: " + why;
  }
  return info;
}

std::string damage_of(const storage::timeline_store& store) {
  const auto damaged = store.damaged_layers();
  if (damaged.empty()) return "";
  return std::to_string(damaged.size()) + " of " + std::to_string(store.layers().size()) +
         " layers damaged, reads that need one fail: " + damaged.front();
}

std::vector<messages::custom_manager> custom_managers_of(const storage::timeline_record& record) {
  std::vector<messages::custom_manager> all;
  for (const storage::custom_manager& each : record.custom_managers) all.push_back({each.id, each.since});
  return all;
}

std::string receiver_state(const messages::source_status& of) {
  static constexpr const char* words[] = {
      "connecting to the source",           "taking the base backup",   "catching up", "streaming",
      "waiting to reconnect to the source", "cannot follow the source", "idle"};
  constexpr std::chrono::seconds worth_a_word{2};
  if (of.gap) return to_text(*of.gap);
  std::string state = words[static_cast<std::size_t>(of.now)];
  if (!of.last_error.empty()) state += " (" + of.last_error + ")";
  if (of.clock_ahead && std::chrono::abs(*of.clock_ahead) > worth_a_word)
    state +=
        "; the source's clock is " +
        config::duration_text(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::abs(*of.clock_ahead))) +
        (of.clock_ahead->count() > 0 ? " ahead of" : " behind") + " this server's";
  return state;
}

}  // namespace strata::actors::pageserver
