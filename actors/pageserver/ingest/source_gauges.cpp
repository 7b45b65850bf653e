#include "actors/pageserver/ingest/source_gauges.hpp"

#include <limits>

namespace strata::actors::pageserver {
namespace {

using phase = messages::source_status::phase;

constexpr const char* lag_bytes_name = "strata_source_lag_bytes";
constexpr const char* lag_seconds_name = "strata_source_lag_seconds";
constexpr const char* slot_name = "strata_source_slot_wal_bytes";
constexpr const char* streaming_name = "strata_source_streaming";

/// `idle`: the source had no more WAL when it was last asked.
bool is_there(phase now) { return now == phase::streaming || now == phase::catching_up || now == phase::idle; }

}  // namespace

source_gauges::source_gauges(runtime::metrics& of, const runtime::metrics::labels& of_timeline)
    : metrics_(of),
      lag_bytes_(of.gauge(lag_bytes_name, "WAL of the source that was not received; NaN if unknown", of_timeline)),
      lag_seconds_(of.gauge(lag_seconds_name, "Time since the source last reported the end of its WAL", of_timeline)),
      slot_bytes_(of.gauge(slot_name, "WAL that the source keeps for the timeline's slot", of_timeline)),
      streaming_(of.gauge(streaming_name, "1 while WAL streams, else 0", of_timeline)) {}

source_gauges::~source_gauges() {
  metrics_.remove(lag_bytes_name, lag_bytes_);
  metrics_.remove(lag_seconds_name, lag_seconds_);
  metrics_.remove(slot_name, slot_bytes_);
  metrics_.remove(streaming_name, streaming_);
}

void source_gauges::update(const messages::source_status& source, const messages::source_lag& lag,
                           core::lsn kept_from) {
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  lag_bytes_.set(lag.bytes ? static_cast<double>(*lag.bytes) : unknown);
  lag_seconds_.set(lag.since_message ? std::chrono::duration<double>(*lag.since_message).count() : unknown);
  const bool kept = kept_from.valid() && source.source_head > kept_from;
  slot_bytes_.set(kept ? static_cast<double>(source.source_head - kept_from) : 0);
  streaming_.set(is_there(source.now) ? 1 : 0);
}

}  // namespace strata::actors::pageserver
