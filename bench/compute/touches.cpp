#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/compute/sides.hpp"
#include "bench/compute/workloads.hpp"
#include "bench/followed_database.hpp"
#include "bench/page_ranges.hpp"
#include "bench/pgbench_run.hpp"
#include "bench/stopwatch.hpp"
#include "io/unique_fd.hpp"
#include "pg/types.hpp"

namespace strata::bench {
namespace {

/// In the first file of the table.
constexpr std::uint32_t file_pages = 1u << 17;

/// Reads each page once, in `readers` threads as so many backends would; microseconds of each.
std::vector<double> touch_us(const std::string& file, const std::vector<std::uint32_t>& pages, int readers) {
  std::vector<std::vector<double>> found(static_cast<std::size_t>(readers));
  std::vector<std::thread> threads;
  for (std::size_t reader = 0; reader < found.size(); ++reader)
    threads.emplace_back([&, reader] {
      const io::unique_fd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
      ::posix_fadvise(opened.get(), 0, 0, POSIX_FADV_RANDOM);
      std::vector<char> page(pg::page_size);
      for (std::size_t i = reader; i < pages.size(); i += found.size()) {
        const wall_stopwatch clock;
        const ssize_t got =
            ::pread(opened.get(), page.data(), page.size(), static_cast<off_t>(pages[i]) * pg::page_size);
        found[reader].push_back(got == static_cast<ssize_t>(page.size()) ? clock.seconds() * 1e6 : -1);
      }
    });
  for (auto& each : threads) each.join();
  std::vector<double> all;
  for (const auto& each : found) all.insert(all.end(), each.begin(), each.end());
  if (std::find(all.begin(), all.end(), -1) != all.end())
    throw std::runtime_error("a page of " + file + " can't be read");
  return all;
}

/// The page service's own time for these pages, when it has read them before.
load_result served(const page_home& home, const std::vector<std::uint32_t>& pages, int in_flight) {
  load_result last;
  for (int pass = 0; pass < 2; ++pass) {
    std::size_t next = 0;
    last = read_ranges(
        home,
        [&] {
          return page_files::page_range{home.target.relation, pages[next++ % pages.size()], 1};
        },
        in_flight, pages.size());
  }
  return last;
}

/// By Postgres, a page at random in each query; some come twice.
double query_p50_us(const std::string& conninfo, int clients, std::uint64_t pages) {
  const std::string script = "\\set block random(0, " + std::to_string(file_pages - 1) +
                             ")\nselect abalance from pgbench_accounts where ctid = '(:block,1)';";
  return 1e3 * run_pgbench(conninfo, {.script = script,
                                      .query_mode = "simple",
                                      .clients = clients,
                                      .transactions = pages / static_cast<std::uint64_t>(clients),
                                      .latencies = true})
                   .percentile(0.5);
}

std::vector<std::uint32_t> random_pages(std::size_t count, unsigned seed) {
  std::vector<std::uint32_t> all(file_pages);
  std::iota(all.begin(), all.end(), 0u);
  std::shuffle(all.begin(), all.end(), std::mt19937(seed));
  all.resize(count);
  return all;
}

struct door {
  const char* pages;
  std::vector<double> touch{}, tail{}, rate{}, query{};  ///< p50, p99, pages a second, p50
};

void touch_once(const followed_database& database, door& of, const std::vector<std::uint32_t>& pages, int clients) {
  const tests::strata_server& strata = database.strata();
  const std::vector<std::string> words{"--pages", of.pages, "--no-fill"};
  {
    const started_compute compute(strata, "main", "touched", words);
    const std::string file =
        tests::sql_session(compute.conninfo()).value("select pg_relation_filepath('pgbench_accounts')");
    const wall_stopwatch clock;
    const auto each = touch_us((compute.data_directory() / file).string(), pages, clients);
    of.rate.push_back(static_cast<double>(pages.size()) / clock.seconds());
    of.touch.push_back(percentile(each, 0.5));
    of.tail.push_back(percentile(each, 0.99));
  }
  const started_compute compute(strata, "main", "queried", words);
  of.query.push_back(query_p50_us(compute.conninfo(), clients, pages.size()));
}

void measure(const followed_database& database, const page_home& home, const plain_postgres& plain, int clients,
             std::size_t count, int rounds) {
  std::vector<door> doors{{"fanotify"}, {"fuse"}};
  std::vector<double> own, own_tail, own_rate, local;
  for (int round = 0; round < rounds; ++round) {
    const auto pages = random_pages(count, static_cast<unsigned>(round));
    for (door& each : doors) {
      const load_result alone = served(home, pages, clients);
      own.push_back(alone.p50_us);
      own_tail.push_back(alone.p99_us);
      own_rate.push_back(alone.requests_per_second);
      touch_once(database, each, pages, clients);
    }
    local.push_back(query_p50_us(plain.conninfo(), clients, count));
  }
  std::printf(
      "touch, %2d clients  page service alone   p50 %5.0f p99 %5.0f us, %6.0f pages/s; query of a cached local page "
      "p50 %.0f us\n",
      clients, median(own), median(own_tail), median(own_rate), median(local));
  for (const door& each : doors)
    std::printf(
        "touch, %2d clients  %-8s first touch p50 %5.0f p99 %5.0f us, %6.0f pages/s; over the page service's p50 "
        "%.0f us (goal 60); query p50 %.0f us, over page service and local query %.0f us\n",
        clients, each.pages, median(each.touch), median(each.tail), median(each.rate), median(each.touch) - median(own),
        median(each.query), median(each.query) - median(own) - median(local));
  std::fflush(stdout);
}

}  // namespace

void measure_touches(const plan& of, database_shelf& from) {
  const int rounds = of.rounds.value_or(3);
  followed_database& database = from.of_scale(of.scales.empty() ? 80 : of.scales.front());
  const page_home home = find_pages(database.source(), database.strata(), "pgbench_accounts");
  if (home.target.blocks < file_pages) throw std::runtime_error("touches need a table of 1 GiB: --scales 80");
  const plain_postgres plain(database.strata(), {});
  read_all(plain.data_directory() / "base");
  std::printf("touches: single pages at random, %d rounds in turns\n", rounds);
  measure(database, home, plain, 1, 4000, rounds);
  measure(database, home, plain, 16, 8000, rounds);
}

}  // namespace strata::bench
