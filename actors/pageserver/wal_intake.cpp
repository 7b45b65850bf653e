#include "actors/pageserver/wal_intake.hpp"

namespace strata::actors::pageserver {

namespace mapping = storage::mapping;

namespace {

pg::wal::stream_decoder_options decoder_options(const storage::timeline_record& record, core::lsn start) {
  pg::wal::stream_decoder_options options;
  options.start = pg::wal::after_header(start, record.wal_segment_size);  // as the receiver asks for it
  options.major = record.major;
  options.segment_size = record.wal_segment_size;
  options.system_id = record.system_id;
  return options;
}

std::shared_ptr<storage::write_batch> new_batch() {
  return std::make_shared<storage::write_batch>(wal_intake::batch_size_bytes / 4);
}

}  // namespace

core::result<std::unique_ptr<wal_intake>> wal_intake::open(std::shared_ptr<storage::timeline_store> store) {
  STRATA_ASSIGN(auto ingest, mapping::wal_ingest::open(store));
  return std::unique_ptr<wal_intake>(new wal_intake(std::move(store), std::move(ingest)));
}

wal_intake::wal_intake(std::shared_ptr<storage::timeline_store> store, std::unique_ptr<mapping::wal_ingest> ingest)
    : store_(std::move(store)),
      ingest_(std::move(ingest)),
      decoder_(decoder_options(store_->record(), store_->last_record_lsn())),
      major_(store_->record().major),
      batch_(new_batch()) {}

std::shared_ptr<storage::write_batch> wal_intake::take_batch() { return std::exchange(batch_, new_batch()); }

core::result<wal_intake::progress> wal_intake::work() {
  for (;;) {
    if (!record_waits_) {
      STRATA_ASSIGN(const auto framed, decoder_.next());
      if (!framed) return progress::used_up;
      STRATA_TRY(pg::wal::parse_record(framed->bytes, framed->start, framed->end, major_, record_));
      record_waits_ = true;
      at_barrier_ = mapping::wal_ingest::needs_empty_batch(record_);
    }
    if (at_barrier_) return progress::barrier;
    STRATA_ASSIGN(const auto handed, add_record());
    if (handed) return *handed;
  }
}

core::result<std::optional<wal_intake::progress>> wal_intake::add_record() {
  STRATA_TRY(ingest_->add(record_, *batch_));
  record_waits_ = false;
  const bool alone = mapping::wal_ingest::needs_empty_batch(record_);
  if (alone || batch_->value_bytes() >= batch_size_bytes) return std::optional(progress::batch_full);
  return std::optional<progress>();
}

}  // namespace strata::actors::pageserver
