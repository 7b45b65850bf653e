#include "bench/hot_pages.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <stdexcept>
#include <unordered_map>

#include "bench/demand.hpp"
#include "bench/page_chain.hpp"
#include "bench/stock_recovery.hpp"
#include "bench/wal_history.hpp"

namespace strata::bench {

namespace {

using pg::verify::page_bytes;
using pg::wal::resource_manager;

constexpr std::array<std::size_t, 2> lengths{1000, 7000};
constexpr std::size_t samples_max = 4;
constexpr std::uint8_t heap_operation_mask = 0x70;
constexpr std::uint8_t prune = 0x10;

/// Chains of heap records of one block each; the first that the WAL has of each length.
class hot_chains {
 public:
  void add(const pg::redo::block_record& record, const page_bytes& page, core::lsn end) {
    const bool fits = (record.manager == resource_manager::heap || record.manager == resource_manager::heap2) &&
                      record.block_id == 0 && !record.next().present && !record.initial();
    page_chain& growing = growing_[&page];
    if (!fits) return growing.records.clear();
    if (growing.records.empty()) growing.base = page;
    growing.add(record, end);
    for (const std::size_t length : lengths)
      if (growing.records.size() == length && found_[length].size() < samples_max) found_[length].push_back(growing);
    if (growing.records.size() == lengths.back()) growing.records.clear();
  }
  [[nodiscard]] const std::map<std::size_t, std::vector<page_chain>>& found() const { return found_; }

 private:
  std::unordered_map<const page_bytes*, page_chain> growing_;
  std::map<std::size_t, std::vector<page_chain>> found_;
};

double prunes_percent(const std::vector<page_chain>& of) {
  std::size_t prunes = 0, all = 0;
  for (const page_chain& chain : of)
    for (const stored_record& each : chain.records) {
      const auto record = demand(pg::redo::decode_block_record(each.bytes));
      prunes += record.manager == resource_manager::heap2 && (record.info & heap_operation_mask) == prune;
      ++all;
    }
  return 100.0 * static_cast<double>(prunes) / static_cast<double>(all);
}

void run(tests::postgres_cluster& cluster, const std::vector<std::string>& arguments) {
  const auto ran = cluster.run("pgbench", arguments);
  if (ran.exit_code != 0) throw std::runtime_error("pgbench: " + ran.err);
}

void measure(const char* name, const std::function<void(tests::postgres_cluster&)>& load) {
  const wal_history history({"synchronous_commit = off", "autovacuum = off", "full_page_writes = off"}, load);
  hot_chains chains;
  pg::verify::report report(history.after().major, {});
  const auto verifier = history.verifier(report);
  pg::redo::redo_context context;
  verifier->observe(
      [&](const pg::redo::block_record& record, const page_bytes& page, core::lsn end, const auto& given) {
        context = given;
        chains.add(record, page, end);
      });
  history.replay(*verifier);
  if (report.mismatches > 0) throw std::runtime_error("redo failed");
  alignas(64) static page_bytes target;
  for (const auto& [length, found] : chains.found()) {
    const double ours = microseconds(
        [&, &found = found](std::size_t call) { rebuild(found[call % found.size()], context, target); }, found.size());
    const stock_redo_cost stock = stock_redo_of(found, history.before());
    std::printf("  %-24s %7zu %6.0f %% %10.1f %10.1f %12.1f %12.2f\n", name, length, prunes_percent(found), ours,
                stock.redo, stock.reading, ours / stock.redo);
    std::fflush(stdout);
  }
  if (chains.found().size() < lengths.size()) std::printf("  %-24s no longer chains in this WAL\n", name);
}

}  // namespace

void measure_hot_pages() {
  std::printf("microseconds for a hot page of pgbench, beside a stock Postgres (its own log's CPU time for redo)\n");
  std::printf("  %-24s %7s %8s %10s %10s %12s %12s\n", "", "records", "prunes", "strata", "stock redo", "its reading",
              "ratio to redo");
  // One page of branches and one of tellers, which four clients change with each transaction.
  measure("branches and tellers", [](tests::postgres_cluster& cluster) {
    run(cluster, {"-i", "-q", "-s", "1", "postgres"});
    run(cluster, {"-n", "-c", "4", "-j", "1", "-t", "12000", "postgres"});
  });
  // A full page of accounts: hardly room for a version more, so that each visit prunes it first.
  measure("a full page of accounts", [](tests::postgres_cluster& cluster) {
    run(cluster, {"-i", "-q", "-s", "1", "postgres"});
    const auto script = cluster.work_directory() / "hot.sql";
    std::ofstream(script) << "\\set aid random(1, 61)\n"
                             "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n";
    run(cluster, {"-n", "-c", "1", "-t", "16000", "-f", script.string(), "postgres"});
  });
}

}  // namespace strata::bench
