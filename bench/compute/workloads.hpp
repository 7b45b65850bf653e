#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "bench/followed_database.hpp"

namespace strata::bench {

/// What the command line asks for; each workload has its own defaults for what is left open.
struct plan {
  std::optional<int> rounds{};
  std::chrono::seconds slice{3};  ///< of pgbench, each time
  std::vector<int> scales{};      ///< of pgbench; 66 is 1 GB
};

/// One database at a time, followed by a server with three safekeepers. Workloads that want the same one come one after
/// the other, for it takes longer to make than most of them.
class database_shelf {
 public:
  /// Of this scale; what the one before had is gone if it had another one. Its users leave branch main and no compute.
  followed_database& of_scale(int scale);

 private:
  int scale_ = 0;
  std::unique_ptr<followed_database> database_;
};

// Each measures in turns with its counterpart, prints what it found with the ratio, and throws
// when a part of it did not work.

/// `compute start` to the first row, `branch create` and start, kill -9 to a commit; beside `pg_ctl start`.
void measure_starts(const plan& of, database_shelf& from);
/// Complete files behind fanotify and FUSE, and files that are not complete yet; beside a plain directory.
void measure_warm(const plan& of, database_shelf& from);
/// tpcb-like with commits that wait for two of three safekeepers; beside a Postgres with fsync and full-page writes.
void measure_quorum(const plan& of, database_shelf& from);
/// A sequential scan of which no page is there, 0.5 ms away from the page service; beside a scan from the disk.
void measure_scan(const plan& of, database_shelf& from);
/// First touches of single pages; beside the page service's own time for the same pages.
void measure_touches(const plan& of, database_shelf& from);
/// 100 computes of 100 branches, started at once.
void measure_hundred(const plan& of, database_shelf& from);

}  // namespace strata::bench
