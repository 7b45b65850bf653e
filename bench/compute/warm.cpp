#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bench/compute/sides.hpp"
#include "bench/compute/workloads.hpp"
#include "bench/followed_database.hpp"
#include "bench/pgbench_run.hpp"
#include "bench/stopwatch.hpp"

namespace strata::bench {
namespace {

constexpr int clients = 4;
constexpr const char* vacuum = "VACUUM after it";

/// What read-only computes have, and what keeps rounds alike.
const std::vector<std::string> common_settings{
    "shared_buffers = 128MB", "max_wal_size = 8GB",  "checkpoint_timeout = 1h", "autovacuum = off", "fsync = off",
    "full_page_writes = off", "wal_init_zero = off", "wal_recycle = off"};

/// Work on a server; how much of it a second.
struct workload {
  const char* name;
  const char* unit;  ///< "TPS", or "s" for one statement
  std::function<double(const std::string& conninfo, int round)> rate;
};

double statement_rate(const std::string& conninfo, const std::string& sql, const std::string& after = "") {
  tests::sql_session session(conninfo);
  session.execute("set default_transaction_read_only = off");
  const wall_stopwatch clock;
  session.execute(sql);
  const double seconds = clock.seconds();
  if (!after.empty()) session.execute(after);
  // Dirty pages are not left to the next workload.
  session.execute("checkpoint");
  return 1 / seconds;
}

/// 26 MB of accounts, and their index.
constexpr int hot_accounts = 200'000;

double select_hot(const std::string& conninfo, std::chrono::seconds slice) {
  const std::string hot = std::to_string(hot_accounts);
  tests::sql_session(conninfo).execute(
      "set enable_seqscan = off; set enable_bitmapscan = off;"
      "select sum(abalance) from pgbench_accounts where aid <= " +
      hot);
  return run_pgbench(conninfo, {.script = "\\set aid random(1, " + hot +
                                          ")\n"
                                          "select abalance from pgbench_accounts where aid = :aid;",
                                .clients = clients,
                                .duration = slice})
      .tps;
}

std::vector<workload> workloads_of(std::chrono::seconds slice) {
  const auto pgbench = [slice](const std::string& builtin) {
    return [slice, builtin](const std::string& conninfo, int) {
      const double tps = run_pgbench(conninfo, {.builtin = builtin, .clients = clients, .duration = slice}).tps;
      tests::sql_session(conninfo).execute("checkpoint");
      return tps;
    };
  };
  const auto statement = [](std::string sql, std::string after) {
    return [sql = std::move(sql), after = std::move(after)](const std::string& conninfo, int) {
      return statement_rate(conninfo, sql, after);
    };
  };
  return {
      {"select-only in shared_buffers", "TPS",
       [slice](const std::string& conninfo, int) { return select_hot(conninfo, slice); }},
      {"select-only out of it", "TPS", pgbench("select-only")},
      {"tpcb-like", "TPS", pgbench("tpcb-like")},
      {"CREATE TABLE AS", "s",
       statement("create table made as select * from pgbench_accounts where aid <= 1000000", "drop table made")},
      {"UPDATE 10 %", "s",
       [](const std::string& conninfo, int round) {
         return statement_rate(conninfo, "update pgbench_accounts set abalance = abalance + 1 where aid % 10 = " +
                                             std::to_string(round % 10));
       }},
      {vacuum, "s", statement("vacuum pgbench_accounts", "")},
      {"CREATE INDEX", "s", statement("create index made on pgbench_accounts (abalance, aid)", "drop index made")},
  };
}

struct side {
  std::string name;
  std::string conninfo;
  std::map<std::string, std::vector<double>> rates{};  ///< by workload
};

std::string in_unit(const workload& of, double rate) {
  std::array<char, 32> text{};
  if (std::string(of.unit) == "TPS")
    std::snprintf(text.data(), text.size(), "%.0f TPS", rate);
  else
    std::snprintf(text.data(), text.size(), "%.2f s", 1 / rate);
  return text.data();
}

void print(const workload& of, const side& local, const side& other) {
  const auto& here = local.rates.at(of.name);
  const auto& there = other.rates.at(of.name);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < there.size(); ++i) ratios.push_back(there[i] / here[std::min(i, here.size() - 1)]);
  std::printf("%-30s local %12s  %-20s %12s  ratio %.2f (%.2f to %.2f)\n", of.name, in_unit(of, median(here)).c_str(),
              other.name.c_str(), in_unit(of, median(there)).c_str(), median(ratios), percentile(ratios, 0),
              percentile(ratios, 1));
  std::fflush(stdout);
}

/// Each workload right after the start of a compute, while the others of its pages come in the background.
void measure_incomplete(const tests::strata_server& strata, const std::vector<workload>& all, const side& local) {
  for (const auto& each : all) {
    // Nothing to do without the update before it.
    if (std::string(each.name) == vacuum) continue;
    side early{"fanotify, incomplete", ""};
    const started_compute compute(strata, "main", "early", {"--pages", "fanotify"}, common_settings);
    early.conninfo = compute.conninfo();
    const double before = compute.missing_megabytes();
    const wall_stopwatch clock;
    early.rates[each.name].push_back(each.rate(early.conninfo, 0));
    const double seconds = clock.seconds();
    const double after = compute.missing_megabytes();
    print(each, local, early);
    std::printf("%-30s   %.0f MB were missing before, %.0f MB after %.1f s\n", "", before, after, seconds);
  }
}

void measure_filling(const tests::strata_server& strata, std::chrono::seconds slice) {
  const started_compute compute(strata, "main", "filling", {"--pages", "fanotify"}, common_settings);
  const wall_stopwatch clock;
  std::printf("select-only from the start on, slices of %d s:", static_cast<int>(slice.count()));
  do {
    const auto ran = run_pgbench(compute.conninfo(), {.builtin = "select-only", .clients = clients, .duration = slice});
    std::printf(" %.0f", ran.tps);
  } while (compute.missing_megabytes() > 0 && clock.seconds() < 120);
  std::printf(" TPS; complete within %.0f s\n", clock.seconds());
}

}  // namespace

void measure_warm(const plan& of, database_shelf& from) {
  const int rounds = of.rounds.value_or(3);
  const int scale = of.scales.empty() ? 30 : of.scales.front();
  const followed_database& database = from.of_scale(scale);
  const tests::strata_server& strata = database.strata();
  plain_postgres plain(strata, common_settings);
  const started_compute native(strata, "main", "native", {"--pages", "fanotify"}, common_settings);
  const double missing = native.missing_megabytes();
  const double filled = native.wait_until_complete();
  const started_compute mounted(strata, "main", "mounted", {"--pages", "fuse"}, common_settings);
  read_all(mounted.data_directory() / "base");
  std::printf(
      "warm: %.0f MB of database, %d rounds in turns, %d clients; fanotify complete %.1f s after the start "
      "(%.0f MB were missing), of FUSE %.0f MB are missing; settings that differ: %s\n",
      database.megabytes(), rounds, clients, filled, missing, mounted.missing_megabytes(),
      different_settings(plain.conninfo(), native.conninfo()).c_str());

  std::vector<side> sides{
      {"local", plain.conninfo()}, {"fanotify, complete", native.conninfo()}, {"FUSE", mounted.conninfo()}};
  const auto all = workloads_of(of.slice);
  for (int round = 0; round < rounds; ++round)
    for (const auto& each : all)
      for (side& on : sides) on.rates[each.name].push_back(each.rate(on.conninfo, round));
  for (std::size_t other = 1; other < sides.size(); ++other)
    for (const auto& each : all) print(each, sides.front(), sides[other]);
  measure_incomplete(strata, all, sides.front());
  measure_filling(strata, of.slice);
}

}  // namespace strata::bench
