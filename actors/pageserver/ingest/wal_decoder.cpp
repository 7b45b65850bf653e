#include "actors/pageserver/ingest/wal_decoder.hpp"

#include <algorithm>

#include "actors/pageserver/ingest/source_history.hpp"
#include "core/check.hpp"

namespace strata::actors::pageserver {

namespace mapping = storage::mapping;

namespace {

pg::wal::stream_decoder_options decoder_options(const storage::timeline_record& record, core::lsn start) {
  pg::wal::stream_decoder_options options;
  // The position that the receiver requests.
  options.start = follows_source(record) ? start : pg::wal::after_header(start, record.wal_segment_size);
  options.major = record.major;
  options.segment_size = record.wal_segment_size;
  options.system_id = record.system_id;
  return options;
}

std::shared_ptr<storage::write_batch> new_batch() {
  return std::make_shared<storage::write_batch>(wal_decoder::batch_size_bytes / 4);
}

}  // namespace

/// The data of a disk_step.
struct wal_decoder::record_step {
  std::shared_ptr<mapping::wal_ingest> ingest;
  std::shared_ptr<storage::write_batch> batch;
  core::bytes bytes;  ///< of the record: the fed bytes may be gone
  core::lsn start;
  core::lsn end;
  pg::major_version major;
  bool added = false;

  core::result<void> run() {
    pg::wal::record record;
    STRATA_TRY(pg::wal::parse_record(bytes, start, end, major, record));
    STRATA_TRY(ingest->add(record, *batch, storage::read_mode::may_block));
    added = true;
    return {};
  }
};

core::result<std::unique_ptr<wal_decoder>> wal_decoder::open(std::shared_ptr<storage::timeline_store> store,
                                                             compared part) {
  STRATA_ASSIGN(auto ingest, mapping::wal_ingest::open(store));
  return std::unique_ptr<wal_decoder>(new wal_decoder(std::move(store), std::move(ingest), part));
}

wal_decoder::wal_decoder(std::shared_ptr<storage::timeline_store> store, std::unique_ptr<mapping::wal_ingest> ingest,
                         compared part)
    : store_(std::move(store)),
      ingest_(std::move(ingest)),
      decoder_(decoder_options(store_->record(), store_->last_record_lsn())),
      major_(store_->record().major),
      batch_(new_batch()) {
  if (!follows_source(store_->record())) return;
  before_ = store_->received();
  if (before_ && part == compared::newer_piece) before_ = before_->newer_piece();
  comparing_ = before_.has_value();
  previous_record_ = store_->previous_record_lsn();
  tracer_.emplace(before_ ? before_->begin : decoder_.position());
}

core::lsn wal_decoder::position() const { return comparing_ ? tracer_->position() : decoder_.position(); }

std::shared_ptr<storage::write_batch> wal_decoder::take_batch() {
  core::check(!step_, "a batch is not taken while a record is added to it");
  if (batch_trace_) batch_->set_trace(*batch_trace_);
  batch_trace_.reset();
  return std::exchange(batch_, new_batch());
}

core::result<void> wal_decoder::feed(core::bytes_view wal) {
  fed_ = wal;
  if (comparing_) STRATA_TRY(compare());
  decoder_.feed(fed_);
  return {};
}

/// Consumes the fed bytes before the first new record. After the trace, up to there, comes only the rest of a segment
/// that was ended by a switch.
core::result<void> wal_decoder::compare() {
  const core::lsn last = decoder_.position();
  if (tracer_->position() < before_->end) {
    trace_to(before_->end);
    if (tracer_->position() < before_->end) return {};
    auto again = tracer_->trace();
    again.source_timeline = before_->source_timeline;
    if (again != *before_)
      return not_the_same_server("its WAL from " + to_string(before_->begin) + " to " + to_string(before_->end) +
                                 " is not the WAL that was received");
  }
  trace_to(last);
  comparing_ = tracer_->position() < last;
  return {};
}

void wal_decoder::trace_to(core::lsn end) {
  if (!tracer_ || end <= tracer_->position()) return;
  const auto part = fed_.first(std::min<std::size_t>(end - tracer_->position(), fed_.size()));
  tracer_->add(part);
  fed_ = fed_.subspan(part.size());
}

core::result<wal_decoder::progress> wal_decoder::work() {
  STRATA_ASSIGN(const auto went, work_on());
  if (!tracer_) return went;
  if (batch_to_ > tracer_->position()) {
    trace_to(batch_to_);
    batch_trace_ = tracer_->trace();
    batch_trace_->source_timeline = source_timeline_;
  }
  // Fed bytes are gone when more are fed.
  if (went == progress::used_up && !comparing_) trace_to(decoder_.position());
  return went;
}

core::result<wal_decoder::progress> wal_decoder::work_on() {
  for (;;) {
    if (!record_waits_) {
      STRATA_ASSIGN(const bool framed, frame_record());
      if (!framed) return progress::used_up;
      record_waits_ = true;
      at_barrier_ = mapping::wal_ingest::needs_empty_batch(record_);
    }
    if (at_barrier_) return progress::barrier;
    STRATA_ASSIGN(const bool added, add_record());
    if (!added) return progress::needs_disk;
    record_waits_ = false;
    batch_to_ = framed_to_;
    const bool alone = mapping::wal_ingest::needs_empty_batch(record_);
    if (alone || batch_->value_bytes() >= batch_size_bytes) return progress::batch_full;
  }
}

core::result<bool> wal_decoder::add_record() {
  if (const auto step = std::exchange(step_, nullptr)) {
    core::check(step->added, "decoding continues when the disk step has succeeded");
    return true;
  }
  const auto added = ingest_->add(record_, *batch_, storage::read_mode::memory_only);
  if (added) return true;
  if (added.error().code == core::errc::would_block) return false;
  return added.error();
}

wal_decoder::disk_step wal_decoder::take_disk_step() {
  core::check(record_waits_ && !at_barrier_ && !step_, "a record waits for the disk");
  step_ = std::make_shared<record_step>(
      record_step{ingest_, batch_, {record_bytes_.begin(), record_bytes_.end()}, record_.start, record_.end, major_});
  return [step = step_] { return step->run(); };
}

core::result<bool> wal_decoder::frame_record() {
  const auto framed = decoder_.next();
  const bool first = previous_record_.valid();
  if (!framed && first && !before_)
    return not_the_same_server("after " + to_string(store_->last_record_lsn()) +
                               ", where the received WAL ends, it has no record (" + framed.error().detail + ")");
  if (!framed) return framed.error();
  if (!*framed) return false;
  const pg::wal::framed_record& found = **framed;
  record_bytes_ = found.bytes;
  STRATA_TRY(pg::wal::parse_record(found.bytes, found.start, found.end, major_, record_));
  if (first && record_.previous != previous_record_)
    return not_the_same_server("its record at " + to_string(found.start) + " follows one at " +
                               to_string(record_.previous) + ", and the last one that was received is at " +
                               to_string(previous_record_));
  previous_record_ = {};
  framed_to_ = std::min(decoder_.position(), found.end);
  return true;
}

}  // namespace strata::actors::pageserver
