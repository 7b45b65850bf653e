// Queries that wait for a page while the server that has it is away.
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <future>

#include "tests/integration/compute/filled_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using clock = std::chrono::steady_clock;

/// The value of a query, or why it failed, and how long that took.
struct outcome {
  std::string text;
  std::chrono::milliseconds took{};
};

struct with_waiting_queries : with_large_branch {
  explicit with_waiting_queries(std::string by) : door(std::move(by)) {}

  json start_again(std::vector<std::string> more) const {
    std::vector<std::string> words{"compute", "start", "filled", "--pages", door, "--no-fill"};
    words.insert(words.end(), more.begin(), more.end());
    return strata.ask(words);
  }
  static std::future<outcome> ask(sql_session& on, const std::string& sql) {
    return std::async(std::launch::async, [&on, sql] {
      const auto begin = clock::now();
      outcome made;
      try {
        made.text = on.value(sql);
      } catch (const std::runtime_error& e) {
        made.text = e.what();
      }
      made.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - begin);
      return made;
    });
  }
  void wait_until_it_says_so() const {
    wait_until("the compute says that its readers wait", [&] {
      const json status = now("filled");
      const std::string detail = status.at("detail");
      return detail.find("waiting for the page service") != std::string::npos && status.at("state") == "running" &&
             status.at("page_counts").at("waits") == detail;
    });
    BOOST_TEST(strata.cli({"compute", "list"}).err.find("filled: waiting for the page service") != std::string::npos);
  }
  [[nodiscard]] static bool failed_to_read(const outcome& of) {
    return of.text.find("could not read block") != std::string::npos;
  }

  /// A signal ends the wait, and a server that comes back before the limit is not noticed.
  void a_wait_within_the_limit() {
    const json compute = start_filled(door);
    BOOST_TEST(compute.at("page_timeout_ms") == 60'000);
    wait_for_filler(1);
    sql_session reader(compute.at("uri"));
    sql_session other(compute.at("uri"));
    sql_session terminated(compute.at("uri"));
    const std::string process = reader.value("select pg_backend_pid()");
    const std::string other_process = terminated.value("select pg_backend_pid()");
    // Whatever these read is there from now on.
    other.execute("select pg_cancel_backend(0), pg_terminate_backend(0)");
    strata.kill();
    auto cancelled = ask(reader, sums);
    wait_until_it_says_so();
    other.execute("select pg_cancel_backend(" + process + ")");
    const outcome ended = cancelled.get();
    BOOST_TEST(failed_to_read(ended), ended.text);
    BOOST_TEST(ended.took.count() < 30'000);
    auto terminating = ask(terminated, sums);
    wait_until_it_says_so();
    other.execute("select pg_terminate_backend(" + other_process + ")");
    BOOST_TEST(terminating.get().took.count() < 30'000);
    BOOST_CHECK_THROW(terminated.execute("select 1"), std::runtime_error);

    reader.execute("set statement_timeout = 100");
    auto waiting = ask(reader, sums);
    wait_until_it_says_so();
    strata.start();
    // It was noticed when the page came.
    BOOST_TEST(waiting.get().text.find("statement timeout") != std::string::npos);
    strata.kill();
    reader.execute("reset statement_timeout");
    auto patient = ask(reader, sums);
    wait_until_it_says_so();
    strata.start();
    const outcome found = patient.get();
    BOOST_TEST(found.text == expected);
    wait_until("nothing waits any more", [&] { return now("filled").at("detail") == ""; });
    BOOST_TEST(now("filled").at("incarnations") == 1);
    strata.ask({"compute", "stop", "filled"});
  }

  void a_wait_beyond_the_limit() {
    BOOST_TEST(start_again({"--page-timeout", "1500ms"}).at("page_timeout_ms") == 1500);
    strata.ask({"compute", "stop", "filled"});
    const json compute = start_again({});
    BOOST_TEST(compute.at("page_timeout_ms") == 1500);
    sql_session reader(compute.at("uri"));
    sql_session other(compute.at("uri"));
    other.execute("select 1");
    strata.kill();
    for (int round = 0; round < 2; ++round) {
      const outcome failed = ask(reader, sums).get();
      BOOST_TEST(failed_to_read(failed), failed.text);
      // A mount gives the same answer again to what comes at once (docs/decisions/0053-fuse-door.md).
      if (round == 0) BOOST_TEST(failed.took.count() >= 1500);
      BOOST_TEST(failed.took.count() < 30'000);
      BOOST_TEST(other.value("select 1") == "1");
    }
    strata.start();
    // Its first answers may take longer than the limit, on a busy machine.
    const auto works = [&](sql_session& on) {
      wait_until("the same query works", [&] { return ask(on, sums).get().text == expected; });
    };
    works(reader);
    BOOST_TEST(now("filled").at("incarnations") == 1);

    // The next incarnation has the limit, too.
    ::kill(postmaster_of(compute), SIGKILL);
    wait_until("another Postgres runs", [&] {
      const json status = now("filled");
      return status.at("incarnations") == 2 && status.at("state") == "running";
    });
    sql_session next(compute.at("uri"));
    next.execute("select 1");
    strata.kill();
    const outcome failed = ask(next, sums).get();
    BOOST_TEST(failed_to_read(failed), failed.text);
    BOOST_TEST(failed.took.count() < 30'000);
    strata.start();
    works(next);
  }

  std::string door;
};

struct with_native_queries : with_waiting_queries {
  with_native_queries() : with_waiting_queries("fanotify") {}
};
struct with_mounted_queries : with_waiting_queries {
  with_mounted_queries() : with_waiting_queries("fuse") {}
};

BOOST_FIXTURE_TEST_SUITE(integration_compute_native_page_wait, with_native_queries,
                         *boost::unit_test::precondition(fanotify_works))

BOOST_AUTO_TEST_CASE(a_query_waits_for_the_server_up_to_the_limit_and_then_fails) {
  a_wait_within_the_limit();
  a_wait_beyond_the_limit();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(integration_compute_mounted_page_wait, with_mounted_queries,
                         *boost::unit_test::precondition(fuse_works))

BOOST_AUTO_TEST_CASE(a_query_waits_for_the_server_up_to_the_limit_and_then_fails) {
  a_wait_within_the_limit();
  a_wait_beyond_the_limit();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
