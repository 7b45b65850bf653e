#include "actors/pageserver/source_gauges.hpp"

#include <algorithm>

namespace strata::actors::pageserver {
namespace {

using phase = messages::source_status::phase;

constexpr const char* bytes_name = "strata_source_lag_bytes";
constexpr const char* slot_name = "strata_source_slot_wal_bytes";
constexpr const char* seconds_name = "strata_source_lag_seconds";
constexpr const char* up_name = "strata_source_streaming";

/// `resting`: the source had no more WAL when it was last asked.
bool is_there(phase now) { return now == phase::streaming || now == phase::catching_up || now == phase::resting; }

std::uint64_t behind(core::lsn position, core::lsn head) { return head > position ? head - position : 0; }

}  // namespace

source_lag lag_of(const messages::source_status& source, core::lsn last_record, core::lsn disk_consistent,
                  core::monotonic_time streaming, core::monotonic_time now) {
  const std::chrono::duration<double> away = now - streaming;
  // Before the end of the base backup nothing is durable, and nothing is known of what the slot holds.
  return {behind(last_record, source.source_head),
          disk_consistent.valid() ? behind(disk_consistent, source.source_head) : 0,
          is_there(source.now) ? 0 : std::max(0.0, away.count())};
}

source_gauges::source_gauges(support::metrics& of, const std::string& tenant, const std::string& timeline,
                             core::monotonic_time now)
    : metrics_(of),
      bytes_(of.gauge(bytes_name, "WAL that the source has and the timeline has not, as far as the source has told",
                      {{"tenant", tenant}, {"timeline", timeline}})),
      slot_bytes_(of.gauge(slot_name, "WAL that the source keeps for the timeline's slot",
                           {{"tenant", tenant}, {"timeline", timeline}})),
      seconds_(of.gauge(seconds_name, "Time since the stream was last there; 0 while it is",
                        {{"tenant", tenant}, {"timeline", timeline}})),
      up_(of.gauge(up_name, "1 while WAL streams, else 0", {{"tenant", tenant}, {"timeline", timeline}})),
      streaming_(now) {}

source_gauges::~source_gauges() {
  metrics_.remove(bytes_name, bytes_);
  metrics_.remove(slot_name, slot_bytes_);
  metrics_.remove(seconds_name, seconds_);
  metrics_.remove(up_name, up_);
}

void source_gauges::update(const messages::source_status& source, core::lsn last_record, core::lsn disk_consistent,
                           core::monotonic_time now) {
  if (is_there(source.now)) streaming_ = now;
  const source_lag lag = lag_of(source, last_record, disk_consistent, streaming_, now);
  bytes_.set(static_cast<double>(lag.bytes));
  slot_bytes_.set(static_cast<double>(lag.slot_bytes));
  seconds_.set(lag.seconds);
  up_.set(is_there(source.now) ? 1 : 0);
}

}  // namespace strata::actors::pageserver
