// How long does a page take to rebuild from a base page and 1, 10 or 100 stored records of real WAL, by resource
// manager (goal: 2 us for one record, 0.3 us for each further one), beside the bare copy of a page? And pages that are
// changed thousands of times, beside a stock Postgres?

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <random>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "bench/demand.hpp"
#include "bench/hot_pages.hpp"
#include "bench/page_chain.hpp"
#include "bench/wal_history.hpp"
#include "pg/redo/redo.hpp"
#include "tests/workload/wal_workload.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using pg::verify::page_bytes;
using pg::wal::resource_manager;

constexpr std::array<std::size_t, 3> lengths{1, 10, 100};
constexpr std::size_t samples_max = 64;

struct chain : page_chain {
  resource_manager manager{};
};

/// Chains of records of one manager (heap and heap2 count as one), a random choice of all that the WAL has.
class chain_collector {
 public:
  void add(const pg::redo::block_record& record, const page_bytes& page, core::lsn end) {
    const resource_manager manager =
        record.manager == resource_manager::heap2 ? resource_manager::heap : record.manager;
    // A page that is dropped leaves its address to another, whose first record is an initial one.
    chain& growing = growing_[&page];
    if (growing.records.empty() || record.initial() || growing.manager != manager) {
      growing.manager = manager;
      growing.base = page;
      growing.records.clear();
    }
    growing.add(record, end);
    for (const std::size_t length : lengths)
      if (growing.records.size() == length) keep(growing);
    if (growing.records.size() == lengths.back()) growing.records.clear();
  }

  using key = std::pair<resource_manager, std::size_t>;
  [[nodiscard]] const std::map<key, std::vector<chain>>& samples() const { return samples_; }

 private:
  void keep(const chain& of) {
    const key place{of.manager, of.records.size()};
    auto& kept = samples_[place];
    const std::size_t seen = ++seen_[place];
    if (kept.size() < samples_max)
      kept.push_back(of);
    else if (const std::size_t at = random_() % seen; at < samples_max)
      kept[at] = of;
  }

  std::unordered_map<const page_bytes*, chain> growing_;
  std::map<key, std::vector<chain>> samples_;
  std::map<key, std::size_t> seen_;
  std::mt19937 random_{20261125};
};

alignas(64) page_bytes target;

void print_row(const std::string& name, const std::map<std::size_t, double>& by_length) {
  std::printf("  %-10s", name.c_str());
  for (const std::size_t length : lengths)
    if (const auto found = by_length.find(length); found != by_length.end())
      std::printf(" %9.2f", found->second);
    else
      std::printf(" %9s", "-");
  // The longest chains there are say best what one more record costs.
  const auto longest = std::prev(by_length.end());
  if (longest->first > 1)
    std::printf(" %12.3f", (longest->second - by_length.begin()->second) / static_cast<double>(longest->first - 1));
  else
    std::printf(" %12s", "-");
  std::printf(" %14.2f\n", static_cast<double>(longest->first) / longest->second);
}

void measure_all() {
  const wal_history history({"full_page_writes = off", tests::wal_workload_config[0], tests::wal_workload_config[1],
                             tests::wal_workload_config[2]},
                            [](tests::postgres_cluster& cluster) { tests::run_wal_workload(cluster); });
  chain_collector collector;
  pg::verify::report report(history.after().major, {});
  const auto verifier = history.verifier(report);
  verifier->observe([&](const pg::redo::block_record& record, const page_bytes& page, core::lsn end,
                        const pg::redo::redo_context&) { collector.add(record, page, end); });
  history.replay(*verifier);
  const pg::redo::redo_context context{.major = history.after().major,
                                       .hints_are_logged = history.before().control->hints_are_logged()};

  std::map<resource_manager, std::map<std::size_t, double>> figures;
  for (const auto& [place, chains] : collector.samples())
    figures[place.first][place.second] = microseconds(
        [&, &chains = chains](std::size_t call) { rebuild(chains[call % chains.size()], context, target); });

  const auto& copied = collector.samples().begin()->second;
  std::printf("microseconds for a page, copy of the base page included; the bare copy takes %.2f\n",
              microseconds([&](std::size_t call) {
                std::memcpy(target.data(), copied[call % copied.size()].base.data(), target.size());
                asm volatile("" : : "r"(target.data()) : "memory");
              }));
  std::printf("  %-10s %9s %9s %9s %12s %14s\n", "", "1 record", "10", "100", "each further", "million rec/s");
  for (const auto& [manager, by_length] : figures) print_row(pg::wal::to_string(manager), by_length);
}

}  // namespace

// `redo_bench hot` measures the hot pages alone.
int main(int count, char** arguments) {
  try {
    if (count < 2 || std::string(arguments[1]) != "hot") measure_all();
    measure_hot_pages();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
