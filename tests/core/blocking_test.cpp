#include "core/blocking.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace strata::core;

namespace {

/// Calls are counted; the process goes on.
struct counted_calls {
  counted_calls() { end_process_on_blocking(false); }
  ~counted_calls() { end_process_on_blocking(true); }
  [[nodiscard]] std::uint64_t since_begin() const { return blocking_calls() - begin; }
  std::uint64_t begin = blocking_calls();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(core_blocking, counted_calls)

BOOST_AUTO_TEST_CASE(a_thread_may_block_unless_it_is_told_not_to) {
  may_block("read a file");
  BOOST_TEST(since_begin() == 0u);
  {
    const no_blocking scope("test");
    may_block("read a file");
    may_block("write a file");
    BOOST_TEST(since_begin() == 2u);
  }
  may_block("read a file");
  BOOST_TEST(since_begin() == 2u);
}

BOOST_AUTO_TEST_CASE(scopes_nest) {
  const no_blocking outer("outer");
  { const no_blocking inner("inner"); }
  may_block("read a file");
  BOOST_TEST(since_begin() == 1u);
}

BOOST_AUTO_TEST_CASE(a_scope_is_about_its_own_thread) {
  const no_blocking scope("test");
  std::thread([] { may_block("read a file"); }).join();
  BOOST_TEST(since_begin() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
