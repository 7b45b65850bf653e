#include "actors/pageserver/write_path.hpp"

#include <algorithm>

#include "actors/pageserver/history_bounds.hpp"
#include "pg/types.hpp"

namespace strata::actors::pageserver {
namespace {

bool continues(const storage::write_batch& batch, core::lsn last) {
  return batch.last_record_end() > last && (batch.entries().empty() || batch.entries().front().at > last);
}

}  // namespace

commits_of_batch commits_of(const storage::write_batch& batch) {
  commits_of_batch found;
  for (const storage::commit_time& commit : batch.commit_times()) {
    found.last = pg::wall_time_of(commit.time);
    found.latest = std::max(found.latest, found.last);
  }
  return found;
}

void write_path::ingest(const std::shared_ptr<storage::write_batch>& batch,
                        const runtime::reply<batch_ingested>& owed) {
  if (!batch || batch->empty()) return owed.deliver(progress());
  if (const auto last = store_->last_record_lsn(); !continues(*batch, last))
    return owed.fail({core::errc::conflict, "ingest: a batch up to " + to_string(batch->last_record_end()) +
                                                " does not continue at " + to_string(last)});
  const auto commits = commits_of(*batch);
  store_->append(std::move(*batch));
  answer_reads();
  context_.appended(commits);
  if (store_->freeze_due() || trace_flush_.due(*store_)) freeze();
  if (store_->frozen_count() < frozen_max) return owed.deliver(progress());
  withheld_.push_back(owed);
}

bool write_path::wait(const messages::wait_lsn& request, messages::timeline_state state, core::monotonic_time now,
                      const runtime::reply<messages::lsn_reached>& owed) {
  const auto last = store_->last_record_lsn();
  std::optional<core::error> refusal;
  if (request.at <= last && state != messages::timeline_state::importing) {
    owed.deliver({last});
    return false;
  }
  if (state == messages::timeline_state::stopping)
    refusal = {core::errc::unavailable, "wait for an LSN: the timeline is stopping"};
  else if (!is_followed(store_->record()))
    refusal = {core::errc::out_of_range,
               "wait for " + to_string(request.at) + ": the branch ends at " + to_string(last) + " and has no writer"};
  else if (reads_.size() >= reads_max)
    refusal = {core::errc::busy, "wait for an LSN: too many requests are waiting"};
  if (refusal)
    owed.fail(*refusal);
  else
    reads_.add(request.at, now + request.timeout, owed);
  return !refusal;
}

void write_path::answer_reads() {
  const auto last = store_->last_record_lsn();
  for (const auto& read : reads_.reached(last)) read.waiter.deliver({last});
}

void write_path::expire_reads(core::monotonic_time now, const std::function<std::string(core::lsn)>& why) {
  for (const auto& read : reads_.expired(now)) read.waiter.fail({core::errc::timeout, why(read.at)});
}

void write_path::stop_reads() {
  for (const auto& read : reads_.all())
    read.waiter.fail({core::errc::unavailable, "wait for " + to_string(read.at) + ": the timeline is stopping"});
}

void write_path::freeze() {
  if (store_->freeze()) context_.flush({});
}

void write_path::freeze_if_due() {
  if (store_->freeze_due()) freeze();
}

void write_path::checkpoint(const runtime::reply<messages::timeline_checkpointed>& owed) {
  const auto target = store_->last_record_lsn();
  store_->freeze();
  if (target <= store_->disk_consistent_lsn()) return owed.deliver({store_->disk_consistent_lsn()});
  checkpoints_.emplace_back(target, owed);
  context_.flush({.now = true});
}

void write_path::flushed(core::lsn disk_consistent) {
  std::erase_if(checkpoints_, [&](const auto& waiting) {
    if (waiting.first > disk_consistent) return false;
    waiting.second.deliver({disk_consistent});
    return true;
  });
  if (store_->frozen_count() < frozen_max)
    for (const auto& owed : std::exchange(withheld_, {})) owed.deliver(progress());
}

void write_path::flush_failed(const core::error& why) {
  for (const auto& [target, owed] : std::exchange(checkpoints_, {})) owed.fail(why);
}

bool write_path::flush_all() {
  store_->freeze();
  if (!flushing()) return false;
  context_.flush({.now = true});
  return true;
}

}  // namespace strata::actors::pageserver
