#include <nlohmann/json.hpp>

#include "console/handlers.hpp"
#include "console/json_text.hpp"
#include "console/open_timeline.hpp"

namespace strata::console::handlers {

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
  return json_reply({{"historic_layers", std::move(layers)},
                     {"frozen_layer_count", counters.frozen_layers},
                     {"memory_size", counters.memory_bytes}});
}

}  // namespace strata::console::handlers
