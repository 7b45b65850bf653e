#include "bench/followed_database.hpp"

#include <chrono>
#include <stdexcept>

namespace strata::bench {
namespace {

/// 20 GB take several minutes each.
constexpr std::chrono::minutes fill_limit{60};
constexpr std::chrono::minutes import_limit{60};

}  // namespace

void fill_with_pgbench(tests::postgres_cluster& cluster, int scale) {
  const auto filled = cluster.run("pgbench", {"-i", "-q", "-s", std::to_string(scale), "postgres"}, fill_limit);
  if (filled.exit_code != 0) throw std::runtime_error("pgbench -i: " + filled.err);
}

followed_database::followed_database(const followed_options& options)
    : source_({.config = {"wal_level = minimal", "max_wal_senders = 0", "max_wal_size = 4GB"}}),
      strata_({.arguments = options.up_arguments}) {
  // The tables are not in WAL, which halves what is written: a base backup brings them.
  source_.start();
  fill_with_pgbench(source_, options.scale);
  source_.configure("wal_level = replica");
  source_.configure("max_wal_senders = 10");
  source_.restart();
  megabytes_ = std::stod(source_.value("SELECT sum(pg_database_size(oid)) FROM pg_database")) / 1e6;
  strata_.start();
  strata_.ask({"source", "add", "bench", "--conninfo", source_.conninfo(), "--no-wait"});
  strata_.wait_until_readable("bench", import_limit);
  strata_.wait_for_lsn("bench", tests::lsn_from(source_.value("select pg_current_wal_flush_lsn()")));
  const std::string path = strata_.timeline_path("bench");
  strata_.api("PUT", path + "/checkpoint");
  strata_.api("PUT", path + "/compact");
}

}  // namespace strata::bench
