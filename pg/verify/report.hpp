#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/lsn.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::verify {

/// The results for the records of one type.
struct record_counts {
  std::uint64_t records = 0;
  std::uint64_t redone = 0;     ///< blocks changed by a redo function
  std::uint64_t restored = 0;   ///< blocks taken from their full-page image
  std::uint64_t compared = 0;   ///< blocks compared with the image that Postgres made after the change
  std::uint64_t different = 0;  ///< compared, and not equal
  std::uint64_t failed = 0;     ///< blocks that redo refused
  std::uint64_t unknown = 0;    ///< blocks with unknown content before the record: not checked
  std::uint64_t foreign = 0;    ///< blocks changed by a resource manager of an extension

  record_counts& operator+=(const record_counts& other);
};

/// A block whose page after redo differs from Postgres's, or that redo refused.
struct mismatch {
  core::lsn start;  ///< of the record; invalid when a file was compared
  core::lsn end;
  std::string record;  ///< "Heap/INSERT", or "file"
  relation_fork relation;
  block_number block = 0;
  std::string what;  ///< the bytes, or the error
};

/// The result of a verification. Counts are by resource manager and operation.
class report {
 public:
  using mismatch_sink = std::function<void(const mismatch&)>;
  /// `tell` receives every mismatch when it is found.
  report(major_version major, mismatch_sink tell);

  record_counts& of(wal::resource_manager manager, std::uint8_t info) {
    return (*counts_)[static_cast<std::size_t>(manager)][info >> 4];
  }
  void found(const mismatch& what);

  struct row {
    std::string record;
    record_counts counts;
  };
  /// In the order of resource managers and operations; only types that occurred.
  [[nodiscard]] std::vector<row> rows() const;
  [[nodiscard]] record_counts total() const;
  /// Record types of this major that did not occur.
  [[nodiscard]] std::vector<std::string> never_seen() const;

  std::uint64_t mismatches = 0;
  std::uint64_t map_pages_compared = 0;   ///< visibility map pages among the compared
  std::uint64_t map_bits_ahead = 0;       ///< map pages where Postgres had already cleared bits for a later record
  std::uint64_t map_pages_left_out = 0;   ///< map pages whose content CREATE DATABASE did not log
  std::uint64_t pages_learned = 0;        ///< taken from a check image because their content was unknown
  std::uint64_t pages_beyond_memory = 0;  ///< not tracked for lack of room
  std::uint64_t file_pages_compared = 0;
  std::uint64_t file_pages_unknown = 0;    ///< of files, and not in the WAL that was read
  std::uint64_t file_pages_explained = 0;  ///< different for a reason other than redo (docs/redo.md)

 private:
  major_version major_;
  mismatch_sink tell_;
  std::unique_ptr<std::array<std::array<record_counts, 16>, 256>> counts_;
};

}  // namespace strata::pg::verify
