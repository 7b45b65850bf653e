#include "actors/pageserver/ingest/timeline_receiver.hpp"

namespace strata::actors::pageserver {

void timeline_receiver::start() {
  restart_at_.reset();
  if (actor_) return;
  const auto record = store_->record();
  actor_ = context_.spawn(follows_source(record) ? *record.source : storage::source_record{});
}

void timeline_receiver::failed(const core::error& why, core::monotonic_time now) {
  gone();
  source_.receiver_failed(why);
  restart_at_ = now + pause;
}

void timeline_receiver::tick(core::monotonic_time now) {
  if (restart_at_ && now >= *restart_at_) start();
}

void timeline_receiver::follow_anew() {
  source_ = {};
  start();
}

void timeline_receiver::follow_safekeepers() {
  if (actor_)
    context_.tell_members({*store_->record().safekeepers});
  else
    start();
}

void timeline_receiver::resume(const std::string& branch, const runtime::reply<>& owed) {
  const auto record = store_->record();
  const auto& source = record.source;
  if (!follows_source(record))
    return owed.fail({core::errc::invalid_argument, "resume source: branch " + branch + " follows none"});
  if (!source->refusal) return owed.deliver();
  jobs_.run(
      "resume the source", [store = store_] { return store->update({.resume_source = true}); },
      [this, owed](const core::result<void>& stored) {
        if (!stored) return owed.fail(stored.error());
        source_.resumed();
        context_.tell_resumed();
        owed.deliver();
      });
}

}  // namespace strata::actors::pageserver
