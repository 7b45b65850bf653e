#include "actors/runtime/proc_metrics.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "core/clock.hpp"

namespace strata::tests {
namespace {

double value_of(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + " ") || line.starts_with(name + "{"))
      return std::stod(line.substr(line.rfind(' ') + 1));
  BOOST_ERROR(name << " is not in\n" << text);
  return -1;
}

BOOST_AUTO_TEST_SUITE(actors_runtime_proc_metrics)

BOOST_AUTO_TEST_CASE(the_process_tells_what_every_exporter_tells) {
  actors::runtime::metrics all;
  const actors::runtime::proc_metrics own(all, "1.2.3");
  const std::string first = all.render();
  BOOST_TEST(value_of(first, "process_resident_memory_bytes") > 1e6);
  BOOST_TEST(value_of(first, "process_virtual_memory_bytes") > value_of(first, "process_resident_memory_bytes"));
  BOOST_TEST(value_of(first, "process_threads") >= 1);
  BOOST_TEST(value_of(first, "process_max_fds") > value_of(first, "process_open_fds"));
  BOOST_TEST(value_of(first, "strata_build_info") == 1);
  BOOST_TEST(first.find("version=\"1.2.3\"") != std::string::npos);
  const auto now = std::chrono::duration<double>(core::system_clock().now().time_since_epoch()).count();
  const double started = value_of(first, "process_start_time_seconds");
  BOOST_TEST(started <= now + 2);
  BOOST_TEST(started > now - 86400);
}

BOOST_AUTO_TEST_CASE(descriptors_and_cpu_time_move) {
  actors::runtime::metrics all;
  const actors::runtime::proc_metrics own(all, "1.2.3");
  const std::string before = all.render();
  int ends[2];
  BOOST_TEST_REQUIRE(::pipe(ends) == 0);
  volatile std::uint64_t work = 0;
  std::string after = all.render();
  BOOST_TEST(value_of(after, "process_open_fds") == value_of(before, "process_open_fds") + 2);
  for (int i = 0;
       i < 100 && value_of(after, "process_cpu_seconds_total") <= value_of(before, "process_cpu_seconds_total"); ++i) {
    for (int j = 0; j < 2'000'000; ++j) work = work + 1;
    after = all.render();
  }
  BOOST_TEST(value_of(after, "process_cpu_seconds_total") > value_of(before, "process_cpu_seconds_total"));
  ::close(ends[0]);
  ::close(ends[1]);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
