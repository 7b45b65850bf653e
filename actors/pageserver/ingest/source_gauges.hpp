#pragma once

#include <string>

#include "actors/runtime/metrics.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// The metrics of the source that a timeline follows, there for as long as this object.
class source_gauges {
 public:
  /// `of_timeline`: the labels; they tell it from every other one, also from one that had or gets its name.
  source_gauges(runtime::metrics& of, const runtime::metrics::labels& of_timeline);
  ~source_gauges();
  source_gauges(const source_gauges&) = delete;
  source_gauges& operator=(const source_gauges&) = delete;

  /// `kept_from`: start of the WAL that the slot keeps; invalid while unknown.
  void update(const messages::source_status& source, const messages::source_lag& lag, core::lsn kept_from);

 private:
  runtime::metrics& metrics_;
  runtime::gauge lag_bytes_;
  runtime::gauge lag_seconds_;
  runtime::gauge slot_bytes_;
  runtime::gauge streaming_;
};

}  // namespace strata::actors::pageserver
