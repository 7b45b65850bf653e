#include "storage/wal_trace.hpp"

#include <xxhash.h>

#include <algorithm>

#include "core/check.hpp"

namespace strata::storage {

struct wal_tracer::digest {
  digest() : state(XXH3_createState()) {
    core::check(state != nullptr, "memory for a digest");
    XXH3_64bits_reset(state);
  }
  ~digest() { XXH3_freeState(state); }
  digest(const digest&) = delete;
  digest& operator=(const digest&) = delete;
  XXH3_state_t* state;
};

bool plausible(const wal_trace& trace) {
  constexpr auto piece = wal_tracer::piece_size_bytes;
  return trace.begin.valid() && trace.begin <= trace.middle && trace.middle < trace.end &&
         trace.middle - trace.begin <= piece && trace.end - trace.middle <= piece && trace.source_timeline > 0;
}

wal_tracer::wal_tracer(core::lsn start) : piece_(std::make_unique<digest>()) {
  so_far_.begin = so_far_.middle = so_far_.end = start;
}
wal_tracer::~wal_tracer() = default;
wal_tracer::wal_tracer(wal_tracer&&) noexcept = default;
wal_tracer& wal_tracer::operator=(wal_tracer&&) noexcept = default;

void wal_tracer::add(core::bytes_view wal) {
  while (!wal.empty()) {
    // A piece ends when the next one begins: a stream that ends with a piece still has it as its newer one.
    const auto in_piece = so_far_.end.value % piece_size_bytes;
    if (in_piece == 0 && so_far_.end > so_far_.middle) {
      so_far_.older = XXH3_64bits_digest(piece_->state);
      so_far_.begin = so_far_.middle;
      so_far_.middle = so_far_.end;
      XXH3_64bits_reset(piece_->state);
    }
    const auto part = wal.first(std::min<std::size_t>(wal.size(), piece_size_bytes - in_piece));
    XXH3_64bits_update(piece_->state, part.data(), part.size());
    so_far_.end = so_far_.end + part.size();
    wal = wal.subspan(part.size());
  }
}

wal_trace wal_tracer::trace() const {
  wal_trace now = so_far_;
  now.newer = XXH3_64bits_digest(piece_->state);
  return now;
}

}  // namespace strata::storage
