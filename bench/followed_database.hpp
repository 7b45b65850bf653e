#pragma once

#include <string>
#include <vector>

#include "tests/support/postgres_cluster.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::bench {

/// pgbench's tables, 15 MB for each unit of `scale`. Throws when pgbench fails.
void fill_with_pgbench(tests::postgres_cluster& cluster, int scale);

struct followed_options {
  int scale = 1;
  std::vector<std::string> up_arguments{};  ///< more words for `strata up`
};

/// A stock Postgres with pgbench's tables, and a server that follows it as source `bench`: each page of branch main is
/// one image, as a base backup brings them. The Postgres is stopped and started by whoever measures it.
class followed_database {
 public:
  explicit followed_database(const followed_options& options);

  [[nodiscard]] tests::postgres_cluster& source() { return source_; }
  [[nodiscard]] tests::strata_server& strata() { return strata_; }
  [[nodiscard]] const tests::strata_server& strata() const { return strata_; }
  [[nodiscard]] double megabytes() const { return megabytes_; }

 private:
  tests::postgres_cluster source_;
  tests::strata_server strata_;
  double megabytes_ = 0;
};

}  // namespace strata::bench
