#include "host/directory_watch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>

#include "io/replace_file.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::host {
namespace {

using clock = std::chrono::steady_clock;

BOOST_AUTO_TEST_SUITE(host_directory_watch)

BOOST_AUTO_TEST_CASE(a_file_that_was_replaced_before_the_wait_ends_it_at_once) {
  const tests::temp_dir home;
  const directory_watch watch(home.path());
  BOOST_TEST(io::replace_file(home / "file", "text", {.durable = false}).has_value());
  // Nothing else would: a wait without news takes longer than this, for ever again.
  auto best = std::chrono::nanoseconds::max();
  for (int tries = 0; tries < 20 && best > std::chrono::milliseconds(100); ++tries) {
    BOOST_TEST(io::replace_file(home / "file", "text", {.durable = false}).has_value());
    const auto begun = clock::now();
    BOOST_TEST(!watch.wait_or_end(::getpid()));
    best = std::min<std::chrono::nanoseconds>(best, clock::now() - begun);
  }
  BOOST_TEST((best <= std::chrono::milliseconds(100)));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_process_ends_it) {
  const tests::temp_dir home;
  const directory_watch watch(home.path());
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  while (!watch.wait_or_end(child)) continue;
  ::waitpid(child, nullptr, 0);
  // Nor is one waited for that was reaped.
  BOOST_TEST(watch.wait_or_end(child));
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_missing_is_looked_at_again_and_again) {
  const tests::temp_dir home;
  const directory_watch watch(home / "none");
  BOOST_TEST(!watch.wait_or_end(::getpid()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
