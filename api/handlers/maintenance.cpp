#include <nlohmann/json.hpp>

#include "api/handlers.hpp"
#include "api/json_text.hpp"
#include "api/open_timeline.hpp"
#include "storage/mapping/cluster_summary.hpp"

namespace strata::api::handlers {

using nlohmann::json;

core::result<reply> checkpoint(const services& of, const request& from) {
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  STRATA_ASSIGN(const auto made, ask<messages::timeline_checkpointed>(
                                     of, timeline.actor, messages::checkpoint_timeline{}, long_answer_limit));
  return json_reply({{"disk_consistent_lsn", core::to_string(made.disk_consistent_lsn)}});
}

core::result<reply> compact(const services& of, const request& from) {
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  STRATA_ASSIGN(const auto made,
                ask<messages::timeline_compacted>(of, timeline.actor, messages::compact_timeline{}, long_answer_limit));
  return json_reply({{"layers_in", made.layers_in},
                     {"layers_out", made.layers_out},
                     {"images_out", made.images_out},
                     {"bytes_in", made.bytes_in},
                     {"bytes_out", made.bytes_out}});
}

core::result<reply> collect_garbage(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"gc_horizon"}));
  STRATA_ASSIGN(const auto horizon, optional_count_member(body, "gc_horizon"));
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  STRATA_ASSIGN(const auto made, ask<messages::garbage_collected>(
                                     of, timeline.actor, messages::collect_garbage{horizon}, long_answer_limit));
  return json_reply({{"layers_removed", made.removed},
                     {"bytes_removed", made.removed_bytes},
                     {"gc_cutoff_lsn", core::to_string(made.cutoff)}});
}

core::result<reply> list_layers(const services& of, const request& from) {
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  json layers = json::array();
  for (const auto& layer : timeline.store->layers()) layers.push_back(to_json(layer));
  const auto counters = timeline.store->counters();
  json memory = json::array();
  for (const auto& span : timeline.store->memory_spans()) {
    memory.push_back({{"kind", span.end ? "Frozen" : "Open"}, {"lsn_start", core::to_string(span.begin)}});
    if (span.end) memory.back()["lsn_end"] = core::to_string(*span.end);
  }
  return json_reply({{"historic_layers", std::move(layers)},
                     {"in_memory_layers", std::move(memory)},
                     {"frozen_layer_count", counters.frozen_layers},
                     {"memory_size", counters.memory_bytes}});
}

core::result<reply> get_keyspace(const services& of, const request& from) {
  core::lsn at;
  if (const auto text = from.query_text("at_lsn"); !text.empty()) {
    STRATA_ASSIGN(at, parse_position("at_lsn", text));
  }
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  if (!at.valid()) at = timeline.store->last_record_lsn();
  STRATA_TRY(timeline.store->check_readable(at));
  STRATA_ASSIGN(const auto found, storage::mapping::summarize(*timeline.store, at));
  const auto ranges = [](const std::vector<core::key_range>& of_these) {
    json list = json::array();
    for (const auto& each : of_these)
      list.push_back(json::array({core::to_string(each.begin), core::to_string(each.end)}));
    return list;
  };
  return json_reply({{"keys", ranges(found.pages)},
                     {"sparse_keys", ranges(storage::mapping::sparse_ranges())},
                     {"at_lsn", core::to_string(at)}});
}

}  // namespace strata::api::handlers
