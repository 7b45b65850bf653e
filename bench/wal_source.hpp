#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "tests/support/postgres_cluster.hpp"

namespace strata::bench {

struct wal_range {
  core::lsn begin;
  core::lsn end;
  [[nodiscard]] double megabytes() const { return static_cast<double>(end - begin) / 1e6; }
};

/// A base backup as one tar file.
struct tar_backup {
  std::filesystem::path file;
  core::lsn start;
  core::lsn end;
};

/// A stock Postgres with pgbench tables, which keeps all WAL that it writes. Checkpoints come as they do by default
/// (1 GB of WAL, 5 minutes), so full-page images have their usual share.
class wal_source {
 public:
  explicit wal_source(int pgbench_scale);

  [[nodiscard]] tests::postgres_cluster& cluster() { return cluster_; }
  tar_backup take_backup();

  /// WAL of 4 pgbench clients.
  wal_range run_pgbench(std::chrono::seconds duration);
  /// WAL of INSERT ... SELECT into a table with a primary key and an index, and COPY, until there is this much.
  wal_range run_bulk_insert(std::uint64_t bytes);
  /// The end of a record up to which all is in the WAL files.
  core::lsn flushed();

  /// The files' bytes of [begin, end) in pieces as large as a walsender's.
  void read_wal(const wal_range& range, const std::function<void(core::lsn, core::bytes_view)>& reader) const;

 private:
  tests::postgres_cluster cluster_;
};

}  // namespace strata::bench
