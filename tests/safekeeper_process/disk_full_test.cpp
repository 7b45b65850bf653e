#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tests/safekeeper_process/safekeeper_fixture.hpp"
#include "tests/support/small_disk.hpp"

using namespace strata;
using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(safekeeper_process_disk_full)

BOOST_AUTO_TEST_CASE(wal_is_refused_while_the_disk_is_full_and_taken_when_it_is_not) {
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("SKIPPED: only root may mount a small disk");
    return;
  }
  const small_disk disk("160m");
  if (!disk.problem.empty()) {
    BOOST_TEST_MESSAGE("SKIPPED: no small disk can be mounted here: " << disk.problem);
    return;
  }
  safekeeper_process keeper(1, disk.place() / "safekeeper");
  keeper.start();
  const wal_identity id;
  growing_wal wal;
  wal.grow(150u << 20);
  test_proposer proposer(keeper.wal_port(), id);
  BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
  std::string refusal;
  try {
    proposer.push(wal.start(), wal.from(wal.start()), {});
  } catch (const std::exception& e) {
    refusal = e.what();
  }
  BOOST_TEST(!refusal.empty());
  const core::lsn kept = lsn_of(keeper.api("GET", id.path()), "flush_lsn");
  BOOST_TEST((kept > wal.start() && kept < wal.end()));
  BOOST_TEST(keeper.api("GET", id.path())["last_error"].get<std::string>().find("full") != std::string::npos);

  // The reserve is for this: votes and elections go on.
  test_proposer next(keeper.wal_port(), id);
  BOOST_REQUIRE(next.lead(only(keeper), {2}, wal.start()));
  disk.grow("400m");
  next.push(kept, wal.from(kept), kept);
  BOOST_TEST((lsn_of(keeper.api("GET", id.path()), "flush_lsn") == wal.end()));
  BOOST_TEST(keeper.api("GET", id.path())["last_error"] == "");
  keeper.kill();
  keeper.start();
  BOOST_TEST((lsn_of(keeper.api("GET", id.path()), "flush_lsn") == wal.end()));
}

BOOST_AUTO_TEST_SUITE_END()
