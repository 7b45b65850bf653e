#pragma once

#include <memory>

#include "bench/wal_source.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::bench {

/// A stock Postgres in recovery, the thing to compare ingest with: settings as they come but 1 GB of shared buffers,
/// so that it may use as much memory as Strata.
class standby {
 public:
  enum class wal_from { its_own_files, streaming };
  /// Unpacks the backup. its_own_files: also copies the source's WAL files, so that replay waits for nobody.
  standby(wal_source& source, const tar_backup& backup, wal_from from);

  /// Starts it; replay begins.
  void start();
  core::lsn replayed();

 private:
  tests::temp_dir directory_;
  std::unique_ptr<tests::postgres_cluster> cluster_;
  std::unique_ptr<tests::sql_session> session_;
};

}  // namespace strata::bench
