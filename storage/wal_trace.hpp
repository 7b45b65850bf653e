#pragma once

#include <cstdint>
#include <memory>

#include "core/bytes.hpp"
#include "core/lsn.hpp"

namespace strata::storage {

/// The end of the received WAL, as digests of its bytes: [begin, middle) and [middle, end). A server that sends other
/// bytes for it is not the one that was followed.
struct wal_trace {
  core::lsn begin;
  core::lsn middle;  ///< equals begin when the trace has only one piece
  core::lsn end;
  std::uint64_t older = 0;
  std::uint64_t newer = 0;
  std::uint32_t source_timeline = 0;  ///< of the server, at `end`
  [[nodiscard]] bool valid() const { return end > begin; }
  /// A trace of this piece alone: [middle, end).
  [[nodiscard]] wal_trace newer_piece() const {
    return {.begin = middle, .middle = middle, .end = end, .newer = newer, .source_timeline = source_timeline};
  }
  bool operator==(const wal_trace&) const = default;
};
/// Whether a stored trace can be one.
bool plausible(const wal_trace& trace);

/// Digests a stream of WAL piece by piece. Keeps the digests of the last whole piece and of the current one: a trace
/// reaches back between one and two pieces, or to the start of the stream.
class wal_tracer {
 public:
  /// Divides every segment size, so that every segment holds whole pieces.
  static constexpr std::uint64_t piece_size_bytes = 1u << 20;

  explicit wal_tracer(core::lsn start);
  ~wal_tracer();
  wal_tracer(wal_tracer&&) noexcept;
  wal_tracer& operator=(wal_tracer&&) noexcept;

  /// Adds the bytes at position().
  void add(core::bytes_view wal);
  [[nodiscard]] core::lsn position() const { return so_far_.end; }
  /// Of the bytes added.
  [[nodiscard]] wal_trace trace() const;

 private:
  struct digest;
  std::unique_ptr<digest> piece_;
  wal_trace so_far_;
};

}  // namespace strata::storage
