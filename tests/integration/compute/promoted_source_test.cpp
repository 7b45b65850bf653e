#include <boost/test/unit_test.hpp>

#include "tests/integration/compute/branch_fixture.hpp"

using namespace strata::tests;
using nlohmann::json;

namespace {

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct with_source : with_branch {
  void check_refused(const std::vector<std::string>& more, int exit_code, const std::string& said) const {
    std::vector<std::string> words{"source", "promote", "shop"};
    words.insert(words.end(), more.begin(), more.end());
    const finished got = strata.cli(words);
    BOOST_TEST(got.exit_code == exit_code, got.out << got.err);
    BOOST_TEST(mentions(got.err, said), got.err);
    BOOST_TEST(mentions(got.err, "next:"), got.err);
  }
};

constexpr const char* count = "select count(*) from rows";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(integration_compute_promoted_source, with_source)

BOOST_AUTO_TEST_CASE(a_followed_source_is_left_with_all_its_rows_and_everything_of_it_goes_on) {
  const json dev = start();
  const json standby = strata.ask({"compute", "start", "main", "--standby"});
  const json reader = strata.ask({"compute", "start", "main", "--name", "reader"});
  source.execute("insert into rows select i, 'at the source' from generate_series(1, 1000) i");
  const json done = strata.ask({"source", "promote", "shop"});
  BOOST_TEST(done.at("left_at_source") == "");
  BOOST_TEST(done.at("slots_left").empty());
  BOOST_TEST(done.at("standbys_restarted") == json::array({standby.at("name")}));
  BOOST_TEST(source.value("select count(*) from pg_replication_slots") == "0");
  BOOST_TEST(strata.timeline("shop").at("follows") == "safekeepers");
  // It is another database from now on.
  source.execute("truncate rows");
  const json main = strata.ask({"compute", "start", "main", "--name", "writer"});
  BOOST_TEST(value(main, count) == "1500");
  execute(main, "insert into rows select i, 'here' from generate_series(2001, 2100) i");
  BOOST_TEST(value(dev, count) == "500");
  execute(dev, "insert into rows values (5000, 'dev')");
  BOOST_TEST(value(reader, count) == "500");
  wait_until("the standby has the rows", [&] { return value(now(standby.at("name")), count) == "1600"; });
  check_refused({}, 4, "follows no source");

  // Nothing of the source is needed any more, also after the loss of everything that runs.
  source.stop();
  lose(main);
  strata.kill();
  strata.start();
  BOOST_TEST(value(strata.ask({"compute", "start", "main", "--name", "writer"}), count) == "1600");
  strata.ask({"branch", "create", "later"});
  BOOST_TEST(value(strata.ask({"compute", "start", "later"}), count) == "1600");
}

BOOST_AUTO_TEST_CASE(a_standby_that_nobody_restarted_is_named_with_the_commands) {
  const std::string standby = strata.ask({"compute", "start", "main", "--standby"}).at("name");
  strata.api("POST", strata.timeline_path("shop", "main") + "/promote_source", json::object());
  const auto detail = [&] { return strata.ask({"status"}).at("standbys").at(0).at("detail").get<std::string>(); };
  wait_until("it is named", [&] { return mentions(detail(), "it follows the source, which was promoted"); });
  const std::string stop = "strata compute stop " + standby;
  const std::string start = "strata compute start shop/main --name " + standby;
  BOOST_TEST(mentions(detail(), stop + "; " + start), detail());
  strata.ask({"compute", "stop", standby});
  strata.ask({"compute", "start", "shop/main", "--name", standby});
  wait_until("it follows the branch",
             [&] { return mentions(now(standby).at("standby").at("upstream"), "safekeeper"); });
  BOOST_TEST(!mentions(detail(), "promoted"), detail());
}

BOOST_AUTO_TEST_CASE(a_source_that_does_not_answer_is_left_only_when_that_is_forced) {
  source.stop(stop_mode::immediate);
  check_refused({}, 6, "the source does not answer");
  BOOST_TEST(strata.timeline("shop").at("follows") == "source");
  const json done = strata.ask({"source", "promote", "shop", "--force"});
  BOOST_TEST(mentions(done.at("left_at_source"), "unknown"), done.dump());
  BOOST_TEST(done.at("slots_left").at(0).at("remembered") == true);
  BOOST_TEST(value(strata.ask({"compute", "start", "main"}), count) == "500");
  // The slot is dropped at the next start, when the source is there.
  source.start();
  BOOST_TEST(source.value("select count(*) from pg_replication_slots") == "1");
  strata.stop();
  strata.start();
  wait_until("the slot is dropped", [&] { return source.value("select count(*) from pg_replication_slots") == "0"; });
}

BOOST_AUTO_TEST_SUITE_END()
