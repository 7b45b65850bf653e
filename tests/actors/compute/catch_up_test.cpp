#include "actors/compute/catch_up.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace actors::compute;

constexpr std::uint64_t mib = 1u << 20;

core::lsn at(std::uint64_t megabytes) { return core::lsn(1000 * mib + megabytes * mib); }

/// 64 MiB up to `end`, with 16 MiB for each acceptor.
memory_use use(std::uint64_t end, std::uint64_t commit, std::uint64_t sent) {
  return {.end = at(end),
          .commit = at(commit),
          .sent_to_quorum = at(sent),
          .window_bytes = 16 * mib,
          .memory_bytes = 64 * mib};
}

BOOST_AUTO_TEST_SUITE(actors_compute_catch_up)

BOOST_AUTO_TEST_CASE(what_is_committed_leaves_memory_but_for_the_newest_half) {
  BOOST_TEST((committed_to_forget(use(100, 100, 100)) == at(68)));
  BOOST_TEST((committed_to_forget(use(100, 68, 100)) == at(68)));
  BOOST_TEST((committed_to_forget(use(100, 50, 100)) == at(50)));
}

BOOST_AUTO_TEST_CASE(memory_may_be_larger_than_all_the_wal_there_is) {
  memory_use of = use(0, 0, 0);
  of.end = of.commit = of.sent_to_quorum = core::lsn(100);
  BOOST_TEST(committed_to_forget(of) == core::lsn());
  BOOST_TEST(uncommitted_to_forget(of) == core::lsn());
}

BOOST_AUTO_TEST_CASE(what_is_not_committed_stays_while_a_quorum_may_have_stopped_answering) {
  // Everybody may be sent the window without having answered anything.
  for (const std::uint64_t sent : {0, 36, 45, 52}) BOOST_TEST(uncommitted_to_forget(use(100, 36, sent)) == core::lsn());
}

BOOST_AUTO_TEST_CASE(of_a_long_record_goes_what_a_quorum_was_sent) {
  BOOST_TEST((uncommitted_to_forget(use(100, 36, 53)) == at(53)));
  BOOST_TEST((uncommitted_to_forget(use(100, 36, 100)) == at(68)));
  // Commit far behind: the record is long already.
  BOOST_TEST((uncommitted_to_forget(use(1000, 36, 960)) == at(960)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
