#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/safekeeper_process/safekeeper_fixture.hpp"
#include "tests/support/postgres_install.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
namespace fs = std::filesystem;

namespace {

core::bytes content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

command receivewal(const safekeeper_process& keeper, const wal_identity& id, const fs::path& to,
                   const std::vector<std::string>& more) {
  std::vector<std::string> words{
      (install_of(15)->bin / "pg_receivewal").string(),
      "-D",
      to.string(),
      "--no-loop",
      "-d",
      "host=127.0.0.1 port=" + std::to_string(keeper.wal_port()) + " user=any options='" + id.options() + "'"};
  words.insert(words.end(), more.begin(), more.end());
  return {.arguments = words};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(safekeeper_process_stock_client)

BOOST_AUTO_TEST_CASE(pg_receivewal_follows_a_safekeeper_and_pg_waldump_reads_what_it_wrote) {
  const temp_dir home;
  safekeeper_process keeper(1, home / "safekeeper", {"--wal-backup", (home / "backup").string()});
  keeper.start();
  const wal_identity id;
  // Begins in the middle of a page: what is in front of it in its segment nobody ever wrote.
  growing_wal wal(core::lsn(0x3006A98));
  wal.grow(18u << 20);
  test_proposer proposer(keeper.wal_port(), id);
  BOOST_REQUIRE(proposer.lead(only(keeper), {1}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), wal.end());
  proposer.say(consensus::append{1, {1}, wal.end(), wal.end(), wal.end(), {}});

  const fs::path archive = home / "archive";
  fs::create_directory(archive);
  const core::lsn end = wal.end();
  // From the start of the segment, which is what it does when it has nothing.
  const auto identified = run(receivewal(keeper, id, archive, {"--endpos", core::to_string(end - 8), "-v"}));
  BOOST_TEST(identified.exit_code == 0, identified.err);
  // IDENTIFY_SYSTEM names the end: it has begun with the segment that holds it.
  const auto part = content_of(archive / "000000010000000000000004.partial");
  BOOST_REQUIRE(part.size() == 16u << 20);
  const core::lsn segment(0x4000000);
  const auto expected = wal.from(segment).first(end - segment - 8);
  BOOST_TEST(std::equal(expected.begin(), expected.end(), part.begin()));

  // The first segment goes to object storage, and is one that Postgres's own tool reads.
  const fs::path stored =
      home / "backup" / core::to_string(id.tenant) / core::to_string(id.timeline) / "000000010000000000000003";
  wait_until("the first segment is in object storage", [&] { return fs::exists(stored); });
  wait_until("that is known", [&] { return lsn_of(keeper.api("GET", id.path()), "backup_lsn") == segment; });
  BOOST_TEST(fs::file_size(stored) == 16u << 20);
  const auto dumped =
      run({.arguments = {(install_of(15)->bin / "pg_waldump").string(), "-p", stored.parent_path().string(), "-s",
                         core::to_string(wal.start()), "-e", "0/3100000"}});
  BOOST_TEST(dumped.exit_code == 0, dumped.err);
  BOOST_TEST(dumped.out.find("XLOG") != std::string::npos);

  // With a segment in its directory it goes on behind it.
  fs::remove(archive / "000000010000000000000004.partial");
  fs::copy_file(stored, archive / "000000010000000000000003");
  const auto again = run(receivewal(keeper, id, archive, {"--endpos", core::to_string(end - 8)}));
  BOOST_TEST(again.exit_code == 0, again.err);
  BOOST_TEST(content_of(archive / "000000010000000000000004.partial").size() == part.size());

  // The prefix is served, too.
  const core::bytes first = stream_wal(keeper.wal_port(), id, core::lsn(0x3000000), 1u << 20);
  const core::bytes kept = content_of(stored);
  BOOST_TEST(std::equal(first.begin(), first.end(), kept.begin()));
}

BOOST_AUTO_TEST_CASE(wal_that_everybody_has_is_removed_and_served_from_object_storage) {
  const temp_dir home;
  safekeeper_process keeper(1, home / "safekeeper", {"--wal-backup", (home / "backup").string()});
  keeper.start();
  const wal_identity id;
  growing_wal wal(core::lsn(0x1000028));
  wal.grow(40u << 20);
  const core::lsn readers = wal.end();  // in the third segment
  wal.grow(10u << 20);
  test_proposer proposer(keeper.wal_port(), id);
  consensus::configuration both = only(keeper);
  both.members.push_back({{2}, "127.0.0.1", 1});  // not there yet
  BOOST_REQUIRE(proposer.lead(both, {1}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), wal.end());
  proposer.say(consensus::append{1, {1}, wal.end(), wal.end(), wal.end(), {}});
  wait_until("whole segments are in object storage",
             [&] { return lsn_of(keeper.api("GET", id.path()), "backup_lsn") == core::lsn(0x4000000); });
  BOOST_TEST((lsn_of(keeper.api("GET", id.path()), "wal_begin_lsn") == wal.start()));

  // A stock client's status removes nothing; a pageserver's does.
  const auto say_status = [&](wal_client& client, core::lsn at) {
    core::bytes status{'r'};
    for (int i = 0; i < 3; ++i) core::append_be(status, at.value);
    core::append_be(status, std::uint64_t{0});
    status.push_back(0);
    client.send_copy_data(status);
  };
  wal_client stock(keeper.wal_port(), id);
  stock.query("START_REPLICATION PHYSICAL " + core::to_string(wal.end()));
  say_status(stock, wal.end());
  wal_client page(keeper.wal_port(), id);
  page.query("START_REPLICATION PHYSICAL " + core::to_string(wal.end()));
  core::bytes feedback{'z'};
  core::bytes content;
  protocol::encode(protocol::pageserver_feedback{.remote_consistent = readers}, content);
  core::append_be(feedback, static_cast<std::uint64_t>(content.size()));
  core::append(feedback, content);
  page.send_copy_data(feedback);
  wait_until("segments before the pageserver's position are removed",
             [&] { return lsn_of(keeper.api("GET", id.path()), "wal_begin_lsn") == core::lsn(0x3000000); });
  const core::bytes all = stream_wal(keeper.wal_port(), id, wal.start(), wal.end() - wal.start());
  BOOST_TEST(std::equal(all.begin(), all.end(), wal.from(wal.start()).begin(), wal.from(wal.start()).end()));
  keeper.kill();
  keeper.start();
  BOOST_TEST(lsn_of(keeper.api("GET", id.path()), "wal_begin_lsn") == core::lsn(0x3000000));

  // Who pulls it now begins where the pageserver is.
  safekeeper_process taker(2);
  taker.start();
  const auto pulled = taker.api("POST", "/v1/pull_timeline",
                                {{"tenant_id", core::to_string(id.tenant)},
                                 {"timeline_id", core::to_string(id.timeline)},
                                 {"http_hosts", {"127.0.0.1:" + std::to_string(keeper.http_port())}}});
  BOOST_TEST((lsn_of(pulled, "local_start_lsn") == readers));
  BOOST_TEST((lsn_of(pulled, "flush_lsn") == wal.end()));
  const std::string digest =
      id.path() + "/digest?from_lsn=" + core::to_string(readers) + "&until_lsn=" + core::to_string(wal.end());
  BOOST_TEST(keeper.api("GET", digest) == taker.api("GET", digest));
}

BOOST_AUTO_TEST_CASE(a_pulled_timeline_is_the_same) {
  safekeeper_process donor(1);
  safekeeper_process taker(2);
  donor.start();
  taker.start();
  const wal_identity id;
  growing_wal wal(core::lsn(0x1000028));
  wal.grow(3u << 20);
  consensus::configuration both;
  both.generation = 1;
  both.members = {donor.member(), taker.member()};
  test_proposer proposer(donor.wal_port(), id);
  BOOST_REQUIRE(proposer.lead(both, {4}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), wal.end());
  const auto pulled = taker.api("POST", "/v1/pull_timeline",
                                {{"tenant_id", core::to_string(id.tenant)},
                                 {"timeline_id", core::to_string(id.timeline)},
                                 {"http_hosts", {"127.0.0.1:" + std::to_string(donor.http_port())}}});
  BOOST_TEST((lsn_of(pulled, "flush_lsn") == wal.end()));
  const std::string digest =
      id.path() + "/digest?from_lsn=" + core::to_string(wal.start()) + "&until_lsn=" + core::to_string(wal.end());
  BOOST_TEST(donor.api("GET", digest) == taker.api("GET", digest));
  BOOST_TEST(taker.api("GET", id.path())["acceptor_state"]["term"] == 4);
  taker.kill();
  taker.start();
  BOOST_TEST(donor.api("GET", digest) == taker.api("GET", digest));
}

BOOST_AUTO_TEST_SUITE_END()
