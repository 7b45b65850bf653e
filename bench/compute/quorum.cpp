#include <cstdio>
#include <string>
#include <vector>

#include "bench/compute/sides.hpp"
#include "bench/compute/workloads.hpp"
#include "bench/followed_database.hpp"
#include "bench/pgbench_run.hpp"

namespace strata::bench {
namespace {

struct side {
  const char* name;
  std::string conninfo;
  std::vector<double> tps, latency_ms, wal_bytes;
};

void run_once(side& on, int clients, std::chrono::seconds slice) {
  tests::sql_session session(on.conninfo);
  const auto position = [&] { return tests::lsn_from(session.value("select pg_current_wal_insert_lsn()")); };
  const core::lsn begin = position();
  const auto ran =
      run_pgbench(on.conninfo, {.builtin = "tpcb-like", .clients = clients, .duration = slice, .latencies = true});
  on.tps.push_back(ran.tps);
  on.latency_ms.push_back(ran.percentile(0.5));
  on.wal_bytes.push_back(static_cast<double>(position() - begin) / static_cast<double>(ran.transactions));
}

void measure(side& stock, side& strata, int clients, int rounds, std::chrono::seconds slice) {
  for (side* each : {&stock, &strata}) each->tps.clear(), each->latency_ms.clear(), each->wal_bytes.clear();
  // The other side has full-page writes like in the minutes after a checkpoint, which is most of the time.
  for (side* each : {&stock, &strata}) tests::sql_session(each->conninfo).execute("checkpoint");
  for (int round = 0; round < rounds; ++round)
    for (side* each : {&stock, &strata}) run_once(*each, clients, slice);
  for (const side* each : {&stock, &strata})
    std::printf("tpcb-like, %2d clients  %-38s %6.0f TPS  p50 %6.2f ms  %6.0f bytes of WAL a transaction\n", clients,
                each->name, median(each->tps), median(each->latency_ms), median(each->wal_bytes));
  std::printf("%24sratio of TPS %.2f (goal 1.0), of WAL %.2f\n", "", median(strata.tps) / median(stock.tps),
              median(strata.wal_bytes) / median(stock.wal_bytes));
  std::fflush(stdout);
}

}  // namespace

void measure_quorum(const plan& of, database_shelf& from) {
  const int rounds = of.rounds.value_or(3);
  const int scale = of.scales.empty() ? 30 : of.scales.front();
  const std::vector<std::string> common{"shared_buffers = 512MB", "max_wal_size = 4GB"};
  auto durable = common;
  durable.insert(durable.end(), {"fsync = on", "full_page_writes = on", "synchronous_commit = on"});

  const followed_database& database = from.of_scale(scale);
  plain_postgres stock_server(database.strata(), durable);
  const made_branch branch(database.strata(), "written");
  const started_compute writer(database.strata(), "written", "written", {}, common);
  writer.wait_until_complete();
  const auto now = writer.description();
  std::printf(
      "quorum: %.0f MB of database, %d rounds in turns, a checkpoint before each number of clients; pages by %s, all "
      "present\n",
      database.megabytes(), rounds, now.at("pages").get<std::string>().c_str());
  side stock{"stock, fsync and full_page_writes on", stock_server.conninfo(), {}, {}, {}};
  side strata{"strata, 2 of 3 safekeepers", writer.conninfo(), {}, {}, {}};
  for (const int clients : {1, 4, 16}) measure(stock, strata, clients, rounds, of.slice);
}

}  // namespace strata::bench
