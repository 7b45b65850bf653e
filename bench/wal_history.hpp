#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "pg/verify/cluster_files.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::bench {

/// A stopped Postgres with all the WAL that it ever wrote, and its data directory as initdb left it.
class wal_history {
 public:
  /// `load` runs while the server does.
  wal_history(std::vector<std::string> config, const std::function<void(tests::postgres_cluster&)>& load);

  [[nodiscard]] const pg::verify::wal_directory& before() const { return before_; }
  [[nodiscard]] const pg::verify::wal_directory& after() const { return after_; }
  [[nodiscard]] core::lsn begin() const { return before_.control->checkpoint_copy.redo; }

  /// A verifier with the pages from before.
  [[nodiscard]] std::unique_ptr<pg::verify::wal_verifier> verifier(pg::verify::report& into) const;
  /// Replays all of it. Throws if WAL ends before the server's last checkpoint.
  pg::verify::replayed replay(pg::verify::wal_verifier& with) const;

  /// How long a stock Postgres takes for the redo of the same WAL, in seconds, by its own log; its data need not become
  /// durable.
  double stock_redo_seconds();

 private:
  tests::temp_dir home_;
  std::vector<std::string> config_;
  tests::postgres_cluster cluster_;
  pg::verify::wal_directory before_;
  pg::verify::wal_directory after_;
};

}  // namespace strata::bench
