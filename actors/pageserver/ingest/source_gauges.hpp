#pragma once

#include <string>

#include "actors/runtime/metrics.hpp"
#include "core/lsn.hpp"
#include "messages/timeline.hpp"

namespace strata::actors::pageserver {

/// The metrics of the source that a timeline follows, there for as long as this object.
class source_gauges {
 public:
  /// `tenant` and `timeline` are names, for people.
  source_gauges(runtime::metrics& of, const std::string& tenant, const std::string& timeline);
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
