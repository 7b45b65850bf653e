#include "actors/compute/status_file.hpp"

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/held_jobs.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::actors::compute {
namespace {

namespace fs = std::filesystem;

host::agent_status in_term(std::uint64_t term) {
  host::agent_status status;
  status.pid = 4711;
  status.term = term;
  return status;
}

struct with_file {
  /// Of the file, as another process finds it; 0: there is none.
  std::uint64_t term_on_disk() {
    const auto found = host::load_status(directory);
    if (!found && found.error().code == core::errc::not_found) return 0;
    BOOST_TEST_REQUIRE(found);
    return found->term;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& each : fs::directory_iterator(directory)) found.push_back(each.path().filename());
    return found;
  }

  tests::temp_dir home;
  std::string directory = home / "compute";
  tests::held_jobs jobs;
  std::vector<std::string> calls;  ///< of the file to its owner
  std::function<void()> when_written;
  status_file file{directory,
                   jobs.jobs(),
                   {.failed = [this](const core::error& why) { calls.push_back("failed: " + why.detail); },
                    .written =
                        [this] {
                          calls.push_back("written");
                          if (when_written) when_written();
                        }}};
  bool made = fs::create_directory(directory);
};

BOOST_FIXTURE_TEST_SUITE(actors_compute_status_file, with_file)

BOOST_AUTO_TEST_CASE(the_first_status_is_written_even_if_it_says_nothing) {
  BOOST_TEST(file.save({}));
  BOOST_TEST(file.saving());
  jobs.finish();
  BOOST_TEST(!file.saving());
  BOOST_TEST(host::load_status(directory));
  BOOST_TEST(calls == std::vector<std::string>{"written"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_positions_are_wanted_at_each_look_or_at_one_of_five_when_nothing_waits_for_them) {
  const auto wanted = [this](bool settled) {
    int count = 0;
    for (int look = 0; look < 20; ++look) count += file.wants_positions(settled) ? 1 : 0;
    return count;
  };
  BOOST_TEST(wanted(false) == 20);
  BOOST_TEST(wanted(true) == 4);
}

BOOST_AUTO_TEST_CASE(a_status_that_the_file_has_is_not_written_again) {
  BOOST_TEST(file.save(in_term(1)));
  jobs.finish();
  BOOST_TEST(!file.save(in_term(1)));
  BOOST_TEST(jobs.count() == 0u);
  BOOST_TEST(file.save(in_term(2)));
  jobs.finish();
  BOOST_TEST(term_on_disk() == 2u);
}

BOOST_AUTO_TEST_CASE(one_write_at_a_time_and_the_last_change_is_written_after_it) {
  std::uint64_t term = 1;
  when_written = [&] { file.save(in_term(term)); };
  BOOST_TEST(file.save(in_term(1)));
  for (term = 2; term < 5; ++term) BOOST_TEST(!file.save(in_term(term)));
  BOOST_TEST(jobs.count() == 1u);
  BOOST_TEST(file.content().term == 1u);
  jobs.finish();
  BOOST_TEST(term_on_disk() == 1u);
  BOOST_TEST(jobs.count() == 1u);  // the newest, without those between
  BOOST_TEST(file.content().term == 5u);
  jobs.finish();
  BOOST_TEST(term_on_disk() == 5u);
  BOOST_TEST(jobs.count() == 0u);
}

BOOST_AUTO_TEST_CASE(a_change_that_is_taken_back_during_a_write_is_not_written) {
  when_written = [&] { file.save(in_term(1)); };
  BOOST_TEST(file.save(in_term(1)));
  BOOST_TEST(!file.save(in_term(2)));
  jobs.finish();
  BOOST_TEST(jobs.count() == 0u);
  BOOST_TEST(term_on_disk() == 1u);
}

BOOST_AUTO_TEST_CASE(a_change_of_the_base_alone_is_written_during_a_write_and_after_it) {
  BOOST_TEST(file.save(in_term(1)));
  file.content().since = core::wall_time(std::chrono::seconds(7));
  when_written = [&] { file.save(host::agent_status(file.content())); };
  jobs.finish();
  BOOST_TEST(jobs.count() == 1u);
  jobs.finish();
  BOOST_TEST((host::load_status(directory)->since == core::wall_time(std::chrono::seconds(7))));
  file.content().port = 20001;
  BOOST_TEST(file.save(host::agent_status(file.content())));
  jobs.finish();
  BOOST_TEST(host::load_status(directory)->port == 20001u);
}

BOOST_AUTO_TEST_CASE(the_file_is_absent_until_its_write_and_whole_before_that_is_reported) {
  BOOST_TEST(file.save(in_term(1)));
  BOOST_TEST(term_on_disk() == 0u);
  jobs.work();
  BOOST_TEST(term_on_disk() == 1u);
  BOOST_TEST(calls.empty());
  BOOST_TEST(file.saving());
  jobs.report();
  BOOST_TEST(file.save(in_term(2)));
  BOOST_TEST(term_on_disk() == 1u);
  jobs.finish();
  BOOST_TEST(names() == std::vector<std::string>{"compute-agent.json"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_reader_finds_a_whole_file_at_every_moment_and_never_an_older_one) {
  constexpr std::uint64_t writes = 300;
  std::atomic<bool> over = false;
  std::atomic<bool> wrong = false;
  std::atomic<std::uint64_t> loads = 0;
  std::thread reader([&] {
    std::uint64_t newest = 0;
    while (!over) {
      const auto found = host::load_status(directory);
      const bool absent = !found && found.error().code == core::errc::not_found && newest == 0;
      // As many safekeepers as the term says: not the beginning of one status and the end of another.
      const bool whole = found && found->term >= newest && found->safekeepers.size() == found->term % 40;
      if (!absent && !whole) wrong = true;
      if (whole) newest = found->term;
      ++loads;
    }
  });
  for (std::uint64_t term = 1; term <= writes || loads < 2 * writes; ++term) {
    auto status = in_term(term);
    for (std::uint64_t id = 0; id < term % 40; ++id)
      status.safekeepers.push_back({id, "127.0.0.1:5454", "streaming", core::lsn(term)});
    file.save(status);
    jobs.finish();
  }
  over = true;
  reader.join();
  BOOST_TEST(!wrong);
}

BOOST_AUTO_TEST_CASE(a_write_into_a_missing_directory_fails_and_the_same_status_is_written_later) {
  fs::remove(directory);
  bool again = true;
  when_written = [&] { again = file.save(in_term(1)); };
  BOOST_TEST(file.save(in_term(1)));
  jobs.finish();
  BOOST_REQUIRE(calls.size() == 2u);
  BOOST_TEST(calls[0].starts_with("failed: "), calls[0]);
  BOOST_TEST(calls[0].find(directory) != std::string::npos, calls[0]);
  BOOST_TEST(calls[1] == "written");
  // Not at once: an owner that ends with its last status would never end, and a full disk would be written for ever.
  BOOST_TEST(!again);
  BOOST_TEST(jobs.count() == 0u);
  fs::create_directory(directory);
  BOOST_TEST(file.save(in_term(1)));
  jobs.finish();
  BOOST_TEST(term_on_disk() == 1u);
  BOOST_TEST(!file.save(in_term(1)));
}

BOOST_AUTO_TEST_CASE(of_failures_in_a_row_only_the_first_is_reported) {
  const auto failures = [this] {
    return std::count_if(calls.begin(), calls.end(),
                         [](const std::string& call) { return call.starts_with("failed"); });
  };
  fs::remove(directory);
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(file.save(in_term(1)));
    jobs.finish();
    BOOST_TEST(failures() == 1);
  }
  fs::create_directory(directory);
  BOOST_TEST(file.save(in_term(1)));
  jobs.finish();
  fs::remove_all(directory);
  BOOST_TEST(file.save(in_term(2)));
  jobs.finish();
  BOOST_TEST(failures() == 2);
  fs::create_directory(directory);
}

BOOST_AUTO_TEST_CASE(a_change_during_a_write_that_fails_is_written_at_once) {
  fs::remove(directory);
  when_written = [&] { file.save(in_term(2)); };
  BOOST_TEST(file.save(in_term(1)));
  jobs.work();
  fs::create_directory(directory);
  jobs.report();
  BOOST_TEST(jobs.count() == 1u);
  jobs.finish();
  BOOST_TEST(term_on_disk() == 2u);
  BOOST_TEST(!file.save(in_term(2)));
}

BOOST_AUTO_TEST_CASE(a_write_that_fails_leaves_the_file_before_it) {
  BOOST_TEST(file.save(in_term(1)));
  jobs.finish();
  // Nothing can be created under the temporary name, whoever runs the test.
  fs::create_directories(directory + "/compute-agent.json.tmp/in the way");
  BOOST_TEST(file.save(in_term(2)));
  jobs.finish();
  BOOST_TEST(calls.size() == 3u);
  BOOST_TEST(term_on_disk() == 1u);
  fs::remove_all(directory + "/compute-agent.json.tmp");
  BOOST_TEST(file.save(in_term(2)));
  jobs.finish();
  BOOST_TEST(term_on_disk() == 2u);
}

BOOST_AUTO_TEST_CASE(the_half_file_of_an_agent_that_was_killed_is_replaced) {
  std::ofstream(directory + "/compute-agent.json.tmp") << "{\"pid\": 47";
  BOOST_TEST(term_on_disk() == 0u);
  BOOST_TEST(file.save(in_term(1)));
  jobs.finish();
  BOOST_TEST(term_on_disk() == 1u);
  BOOST_TEST(names() == std::vector<std::string>{"compute-agent.json"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_damaged_file_of_an_earlier_agent_is_replaced) {
  std::ofstream(directory + "/compute-agent.json") << "{\"pid\": 47";
  BOOST_TEST(host::load_status(directory).error().code == core::errc::corrupt);
  BOOST_TEST(file.save(in_term(1)));
  jobs.finish();
  BOOST_TEST(term_on_disk() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::compute
