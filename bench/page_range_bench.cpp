// How fast does the page client read a relation of 1 GiB from block to block, by ranges of pagestream_v4, and how soon
// does it have one page? Beside single pages of pagestream_v3, many in flight, in turns.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "bench/followed_database.hpp"
#include "bench/page_load.hpp"
#include "bench/page_ranges.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using namespace std::chrono_literals;

constexpr int rounds = 3;

/// Reads blocks in order, `in_flight` ranges at a time, until `until` pages have come.
load_result read_in_order(const page_home& home, std::uint32_t count, int in_flight, std::uint64_t until) {
  std::uint32_t next = 0;
  const auto following = [&] {
    if (next + count > home.target.blocks) next = 0;
    next += count;
    return page_files::page_range{home.target.relation, next - count, count};
  };
  return read_ranges(home, following, in_flight, until);
}

double seconds_of(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

/// Pages, and CPU time of the server and of this process: on a machine that others use, the CPU time says more.
template <class Load>
void report(const char* what, clockid_t server, const Load& load) {
  const double server_before = seconds_of(server);
  const double client_before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  const load_result result = load();
  const double per_page = 1e6 / static_cast<double>(result.requests);
  std::printf(
      "%-44s %8.0f pages/s %6.0f MB/s  p50 %6.0f us  p99 %6.0f us  CPU a page %5.2f us server, %5.2f us client\n", what,
      result.requests_per_second, result.requests_per_second * pg::page_size / 1e6, result.p50_us, result.p99_us,
      (seconds_of(server) - server_before) * per_page,
      (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - client_before) * per_page);
  std::fflush(stdout);
}

load_result read_pages(const page_home& home, int in_flight, std::chrono::milliseconds duration) {
  return run_page_load(home.target,
                       {.connections = 1, .in_flight = in_flight, .duration = duration, .sequential = true});
}

void measure(int scale) {
  followed_database database({.scale = scale});
  const page_home home = find_pages(database.source(), database.strata(), "pgbench_accounts");
  const std::uint64_t all = home.target.blocks;
  std::printf("%u pages in order, one connection\n", home.target.blocks);
  clockid_t server{};
  if (::clock_getcpuclockid(database.strata().pid(), &server) != 0)
    throw std::runtime_error("no CPU clock of the server");
  for (int round = 0; round < rounds; ++round) {
    std::printf("round %d\n", round + 1);
    report("v4 ranges of 128, 4 in flight, page client", server, [&] { return read_in_order(home, 128, 4, all); });
    report("v3 single pages, 64 in flight", server, [&] { return read_pages(home, 64, 4000ms); });
    report("v3 single pages, 16 in flight", server, [&] { return read_pages(home, 16, 4000ms); });
    report("v4 ranges of 128, 1 in flight, page client", server, [&] { return read_in_order(home, 128, 1, all); });
    report("v4 ranges of 16, 8 in flight, page client", server, [&] { return read_in_order(home, 16, 8, all); });
    report("v4 ranges of 8, 16 in flight, page client", server, [&] { return read_in_order(home, 8, 16, all); });
    report("v4 ranges of 1, 64 in flight, page client", server, [&] { return read_in_order(home, 1, 64, all); });
    report("v4 one page, 1 in flight, page client", server, [&] { return read_in_order(home, 1, 1, 20'000); });
    report("v3 one page, 1 in flight", server, [&] { return read_pages(home, 1, 2000ms); });
  }
}

}  // namespace

/// page_range_bench [SCALE]: of pgbench; 80 is 1 GiB.
int main(int count, char** arguments) {
  try {
    measure(count > 1 ? std::atoi(arguments[1]) : 80);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
