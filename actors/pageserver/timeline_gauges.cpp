#include "actors/pageserver/timeline_gauges.hpp"

namespace strata::actors::pageserver {
namespace {

constexpr const char* last_record_name = "strata_timeline_last_record_lsn_bytes";
constexpr const char* disk_consistent_name = "strata_timeline_disk_consistent_lsn_bytes";
constexpr const char* layer_bytes_name = "strata_timeline_layer_bytes";
constexpr const char* layers_name = "strata_timeline_layers";
constexpr const char* memory_name = "strata_timeline_memory_bytes";
constexpr const char* waiting_name = "strata_timeline_waiting_reads";

runtime::gauge by_state(runtime::metrics& of, messages::timeline_state state) {
  return of.gauge("strata_timelines", "Timelines by state", {{"state", std::string(to_string(state))}});
}

}  // namespace

timeline_gauges::timeline_gauges(runtime::metrics& of, const runtime::metrics::labels& of_timeline)
    : metrics_(of),
      of_timeline_(of_timeline),
      last_record_(of.gauge(last_record_name, "Position of the last record", of_timeline)),
      disk_consistent_(of.gauge(disk_consistent_name, "Position up to which everything is on disk", of_timeline)),
      layer_bytes_(of.gauge(layer_bytes_name, "Layer files", of_timeline)),
      layers_(of.gauge(layers_name, "Layer files", of_timeline)),
      memory_bytes_(of.gauge(memory_name, "Not yet on disk", of_timeline)),
      waiting_(of.gauge(waiting_name, "Requests that wait for WAL", of_timeline)),
      dirty_total_(of.gauge("strata_dirty_bytes", "Held in memory and not yet on disk, over all timelines")) {}

timeline_gauges::~timeline_gauges() {
  dirty_total_.add(-dirty_);
  if (state_) by_state(metrics_, *state_).add(-1);
  metrics_.remove(last_record_name, last_record_);
  metrics_.remove(disk_consistent_name, disk_consistent_);
  metrics_.remove(layer_bytes_name, layer_bytes_);
  metrics_.remove(layers_name, layers_);
  metrics_.remove(memory_name, memory_bytes_);
  metrics_.remove(waiting_name, waiting_);
}

void timeline_gauges::update(const storage::timeline_store& store, std::size_t waiting_reads) {
  const auto counters = store.counters();
  last_record_.set(static_cast<double>(store.last_record_lsn().value));
  disk_consistent_.set(static_cast<double>(store.disk_consistent_lsn().value));
  layer_bytes_.set(static_cast<double>(counters.layer_bytes));
  layers_.set(static_cast<double>(counters.layers));
  memory_bytes_.set(static_cast<double>(counters.memory_bytes));
  waiting_.set(static_cast<double>(waiting_reads));
  dirty_total_.add(static_cast<double>(counters.memory_bytes) - dirty_);
  dirty_ = static_cast<double>(counters.memory_bytes);
}

void timeline_gauges::update_source(const storage::timeline_store& store,
                                    const std::optional<messages::source_status>& source,
                                    const messages::source_lag& lag) {
  const auto record = store.record();
  if (!follows_source(record)) return source_.reset();
  if (!source) return;
  if (!source_) source_.emplace(metrics_, of_timeline_);
  const auto& trace = record.source->received;
  source_->update(*source, lag, trace ? trace->begin : store.disk_consistent_lsn());
}

void timeline_gauges::set_state(messages::timeline_state state) {
  if (state_) by_state(metrics_, *state_).add(-1);
  state_ = state;
  by_state(metrics_, state).add(1);
}

}  // namespace strata::actors::pageserver
