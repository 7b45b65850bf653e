#include <boost/test/unit_test.hpp>
#include <random>

#include "tests/safekeeper_process/safekeeper_fixture.hpp"

using namespace strata;
using namespace strata::tests;

namespace {

/// It must be as if nothing had happened.
void check_alive(const safekeeper_process& keeper) {
  const wal_identity id;
  growing_wal wal;
  wal.grow(10'000);
  test_proposer proposer(keeper.wal_port(), id);
  BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), wal.end());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(safekeeper_process_bad_client)

BOOST_AUTO_TEST_CASE(garbage_and_absurd_lengths_end_only_their_connection) {
  safekeeper_process keeper(1);
  keeper.start();
  std::mt19937 random(4);
  for (int round = 0; round < 50; ++round) {
    const raw_connection garbage(keeper.wal_port());
    core::bytes bytes(random() % 4000);
    for (auto& each : bytes) each = static_cast<std::uint8_t>(random());
    garbage.send(bytes);
  }
  {
    const raw_connection huge(keeper.wal_port());
    huge.send(core::bytes{0x7F, 0xFF, 0xFF, 0xFF, 0, 3, 0, 0});
    const auto told = huge.receive_all();
    BOOST_TEST((!told.empty() && told[0] == 'E'));
  }
  const wal_identity id;
  for (int round = 0; round < 50; ++round) {
    wal_client client(keeper.wal_port(), id);
    client.query("START_WAL_PUSH (proto_version '3')");
    core::bytes bytes(random() % 4000);
    for (auto& each : bytes) each = static_cast<std::uint8_t>(random());
    if (!bytes.empty()) bytes[0] = static_cast<std::uint8_t>("gvea"[random() % 4]);
    client.send_copy_data(bytes);
    client.next();  // CopyBothResponse
    const auto told = client.next();
    BOOST_TEST((told && told->tag == 'E'));
  }
  wal_client large(keeper.wal_port(), id);
  large.query("START_WAL_PUSH (proto_version '3')");
  large.connection().send(core::bytes{'d', 0x10, 0, 0, 0});
  large.next();
  const auto told = large.next();
  BOOST_TEST((told && told->tag == 'E'));
  BOOST_TEST(!large.next().has_value());
  check_alive(keeper);
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_does_not_stop_the_others) {
  safekeeper_process keeper(1);
  keeper.start();
  const wal_identity id;
  growing_wal wal;
  wal.grow(20u << 20);
  test_proposer proposer(keeper.wal_port(), id);
  BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), wal.end());
  proposer.say(consensus::append{1, {1}, wal.end(), wal.end(), wal.end(), {}});
  std::vector<std::unique_ptr<wal_client>> lazy;
  for (int i = 0; i < 20; ++i) {
    lazy.push_back(std::make_unique<wal_client>(keeper.wal_port(), id));
    lazy.back()->query("START_REPLICATION PHYSICAL " + core::to_string(wal.start()));
  }
  const core::bytes all = stream_wal(keeper.wal_port(), id, wal.start(), wal.end() - wal.start());
  BOOST_TEST(std::equal(all.begin(), all.end(), wal.from(wal.start()).begin()));
  check_alive(keeper);
  // Those that do not even start up.
  std::vector<std::unique_ptr<raw_connection>> mute;
  for (int i = 0; i < 50; ++i) mute.push_back(std::make_unique<raw_connection>(keeper.wal_port()));
  check_alive(keeper);
  BOOST_TEST(mute.front()->receive_all().empty());
}

BOOST_AUTO_TEST_SUITE_END()
