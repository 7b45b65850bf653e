#pragma once

#include <optional>
#include <string>

#include "actors/pageserver/ingest/source_gauges.hpp"
#include "actors/runtime/metrics.hpp"
#include "core/lsn.hpp"
#include "messages/states.hpp"
#include "messages/timeline.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// The metrics of one timeline, there for as long as this object.
class timeline_gauges {
 public:
  /// `of_timeline`: the labels; they tell it from every other one, also from one that had or gets its name.
  timeline_gauges(runtime::metrics& of, const runtime::metrics::labels& of_timeline);
  ~timeline_gauges();
  timeline_gauges(const timeline_gauges&) = delete;
  timeline_gauges& operator=(const timeline_gauges&) = delete;

  /// The branch's name in the labels.
  [[nodiscard]] const std::string& branch() const { return of_timeline_.at("timeline"); }
  void update(const storage::timeline_store& store, std::size_t waiting_reads);
  /// Of a timeline that follows a source, once that has reported.
  void update_source(const storage::timeline_store& store, const std::optional<messages::source_status>& source,
                     const messages::source_lag& lag);
  /// Counted over all timelines.
  void set_state(messages::timeline_state state);

 private:
  runtime::metrics& metrics_;
  runtime::metrics::labels of_timeline_;
  runtime::gauge last_record_;
  runtime::gauge disk_consistent_;
  runtime::gauge layer_bytes_;
  runtime::gauge layers_;
  runtime::gauge memory_bytes_;
  runtime::gauge waiting_;
  runtime::gauge dirty_total_;
  double dirty_ = 0;
  std::optional<messages::timeline_state> state_;
  std::optional<source_gauges> source_;
};

}  // namespace strata::actors::pageserver
