#include "bench/page_ranges.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <vector>

#include "page_files/page_client.hpp"

namespace strata::bench {

using steady = std::chrono::steady_clock;

page_home find_pages(tests::postgres_cluster& source, const tests::strata_server& strata, const std::string& table) {
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
                              .relation = number("SELECT pg_relation_filenode('" + table + "')"),
                              .fork = pg::fork::main},
                 .blocks = number("SELECT pg_relation_size('" + table + "') / 8192")};
  return home;
}

load_result read_ranges(const page_home& home, const std::function<page_files::page_range()>& next, int in_flight,
                        std::uint64_t until) {
  const auto locate = [&] { return core::address{"127.0.0.1", home.target.port}; };
  auto client = page_files::page_client::create(
                    {.tenant = home.tenant, .timeline = home.timeline, .at = home.at, .locate = locate})
                    .value();
  std::uint64_t pages = 0;
  std::vector<float> latencies_us;
  load_result result;
  const std::function<void()> ask = [&] {
    const auto asked = steady::now();
    client->fetch(next(), [&, asked](const core::result<core::bytes_view>& got) {
      if (!got) throw std::runtime_error(core::to_string(got.error()));
      latencies_us.push_back(std::chrono::duration<float, std::micro>(steady::now() - asked).count());
      pages += got->size() / pg::page_size;
      if (pages < until) ask();
    });
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

}  // namespace strata::bench
