#include "actors/pageserver/ingest/followed_source.hpp"

#include <algorithm>

#include "actors/pageserver/ingest/source_progress.hpp"
#include "actors/pageserver/timeline_description.hpp"

namespace strata::actors::pageserver {

void followed_source::reported(const messages::source_status& status, core::lsn last_record) {
  status_ = status;
  status_->received = std::max(status_->received, last_record);
}

void followed_source::receiver_failed(const core::error& why) {
  if (!status_) return;
  status_->now = messages::source_status::phase::failed;
  status_->last_error = why.detail;
}

void followed_source::resumed() {
  if (!status_) return;
  status_->now = messages::source_status::phase::connecting;
  status_->last_error.clear();
}

messages::source_lag followed_source::lag(core::monotonic_time now, bool flush_fails) const {
  return status_ ? lag_of(*status_, now, flush_fails) : messages::source_lag{};
}

std::string followed_source::state_text() const { return status_ ? receiver_state(*status_) : "nothing is received"; }

std::string followed_source::why_late(core::lsn at, core::lsn last_record) const {
  const std::string why = "wait for " + to_string(at) + ": the timeline is at " + to_string(last_record);
  return status_ ? why + ", " + receiver_state(*status_) : why;
}

}  // namespace strata::actors::pageserver
