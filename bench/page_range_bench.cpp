// How fast does the page client read a relation of 1 GiB from block to block, by ranges of pagestream_v4, and how soon
// does it have one page? Beside single pages of pagestream_v3, many in flight, in turns.

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "bench/page_load.hpp"
#include "page_files/page_client.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/strata_server.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr int rounds = 3;

struct page_home {
  page_target target;
  core::tenant_id tenant;
  core::timeline_id timeline;
  core::lsn at;
};

/// pgbench_accounts of this scale, 13 MB each, from a base backup, compacted: every page is one image.
page_home prepare(tests::postgres_cluster& source, tests::strata_server& strata, const std::string& scale) {
  source.start();
  const tests::finished filled = source.run("pgbench", {"-i", "-q", "-s", scale, "postgres"});
  if (filled.exit_code != 0) throw std::runtime_error("pgbench -i: " + filled.err);
  strata.start();
  strata.add_source("bench", source.conninfo());
  const std::string path = strata.timeline_path("bench");
  strata.api("PUT", path + "/checkpoint");
  strata.api("PUT", path + "/compact");

  page_home home;
  const nlohmann::json timeline = strata.timeline("bench");
  const auto tenant = timeline.at("tenant_id").get<std::string>();
  const auto id = timeline.at("timeline_id").get<std::string>();
  home.tenant = core::parse_id<core::tenant_id>(tenant).value();
  home.timeline = core::parse_id<core::timeline_id>(id).value();
  home.at = core::parse_lsn(timeline.at("last_record_lsn").get<std::string>()).value();
  const auto number = [&](const std::string& sql) { return static_cast<std::uint32_t>(std::stoul(source.value(sql))); };
  home.target = {.port = strata.page_port(),
                 .command = "pagestream_v3 " + tenant + " " + id,
                 .version = 3,
                 .relation = {.tablespace = 1663,
                              .database = number("SELECT oid FROM pg_database WHERE datname = 'postgres'"),
                              .relation = number("SELECT pg_relation_filenode('pgbench_accounts')"),
                              .fork = pg::fork::main},
                 .blocks = number("SELECT pg_relation_size('pgbench_accounts') / 8192")};
  return home;
}

/// Reads blocks in order with the page client, `in_flight` ranges at a time, until `until` pages have come.
load_result read_ranges(const page_home& home, std::uint32_t count, int in_flight, std::uint64_t until) {
  auto client = page_files::page_client::create({.tenant = home.tenant,
                                                 .timeline = home.timeline,
                                                 .at = home.at,
                                                 .locate =
                                                     [&] {
                                                       return core::address{"127.0.0.1", home.target.port};
                                                     }})
                    .value();
  std::uint32_t next = 0;
  std::uint64_t pages = 0;
  std::vector<float> latencies_us;
  load_result result;
  std::function<void()> ask = [&] {
    if (next + count > home.target.blocks) next = 0;
    const auto asked = steady::now();
    client->fetch({home.target.relation, next, count}, [&, asked](const core::result<core::bytes_view>& got) {
      if (!got) throw std::runtime_error(core::to_string(got.error()));
      latencies_us.push_back(std::chrono::duration<float, std::micro>(steady::now() - asked).count());
      pages += got->size() / pg::page_size;
      ask();
    });
    next += count;
  };
  const auto begin = steady::now();
  for (int i = 0; i < in_flight; ++i) ask();
  while (pages < until) {
    pollfd ready{client->poll_fd(), POLLIN, 0};
    ::poll(&ready, 1, 1000);
    client->on_ready();
    client->on_time(steady::now());
  }
  result.requests = pages;
  result.requests_per_second =
      static_cast<double>(pages) / std::chrono::duration<double>(steady::now() - begin).count();
  std::sort(latencies_us.begin(), latencies_us.end());
  result.p50_us = latencies_us[latencies_us.size() / 2];
  result.p99_us = latencies_us[latencies_us.size() * 99 / 100];
  return result;
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

void measure(const std::string& scale) {
  tests::postgres_cluster source({.config = {"wal_level = replica", "max_wal_size = 4GB"}});
  tests::strata_server strata;
  const page_home home = prepare(source, strata, scale);
  const std::uint64_t all = home.target.blocks;
  std::printf("%u pages in order, one connection\n", home.target.blocks);
  clockid_t server{};
  if (::clock_getcpuclockid(strata.pid(), &server) != 0) throw std::runtime_error("no CPU clock of the server");
  for (int round = 0; round < rounds; ++round) {
    std::printf("round %d\n", round + 1);
    report("v4 ranges of 128, 4 in flight, page client", server, [&] { return read_ranges(home, 128, 4, all); });
    report("v3 single pages, 64 in flight", server, [&] { return read_pages(home, 64, 4000ms); });
    report("v3 single pages, 16 in flight", server, [&] { return read_pages(home, 16, 4000ms); });
    report("v4 ranges of 128, 1 in flight, page client", server, [&] { return read_ranges(home, 128, 1, all); });
    report("v4 ranges of 16, 8 in flight, page client", server, [&] { return read_ranges(home, 16, 8, all); });
    report("v4 ranges of 8, 16 in flight, page client", server, [&] { return read_ranges(home, 8, 16, all); });
    report("v4 ranges of 1, 64 in flight, page client", server, [&] { return read_ranges(home, 1, 64, all); });
    report("v4 one page, 1 in flight, page client", server, [&] { return read_ranges(home, 1, 1, 20'000); });
    report("v3 one page, 1 in flight", server, [&] { return read_pages(home, 1, 2000ms); });
  }
}

}  // namespace

/// page_range_bench [SCALE]: of pgbench; 80 is 1 GiB.
int main(int count, char** arguments) {
  try {
    measure(count > 1 ? arguments[1] : "80");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
