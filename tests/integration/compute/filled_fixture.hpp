#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "page_files/fuse_mount.hpp"
#include "page_files/guarded_directory.hpp"
#include "tests/integration/compute/branch_fixture.hpp"

namespace strata::tests {

inline boost::test_tools::assertion_result fanotify_works(boost::unit_test::test_unit_id) {
  const temp_dir here;
  const auto allowed = page_files::check_fanotify(here / "");
  boost::test_tools::assertion_result result(allowed.has_value());
  if (!allowed) result.message() << "skipped: " << allowed.error().detail;
  return result;
}

inline boost::test_tools::assertion_result fuse_works(boost::unit_test::test_unit_id) {
  const auto allowed = page_files::fuse_available(::geteuid() == 0);
  boost::test_tools::assertion_result result(allowed.has_value());
  if (!allowed) result.message() << "skipped: " << allowed.error().detail;
  return result;
}

/// A table much larger than what a start reads, on a branch.
struct with_large_branch : with_branch {
  with_large_branch() {
    source.execute("create table large as select i, md5(i::text) filler from generate_series(1, 400000) i");
    source.execute("create index on large (i)");
    expected = source.value(sums);
    strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
    strata.ask({"branch", "create", "filled", "--from", "main"});
  }
  /// A mount would outlive its Postgres, and keep the test's directory.
  ~with_large_branch() {
    try {
      strata.cli({"compute", "stop", "filled", "--remove", "--limit", "5s"});
    } catch (const std::runtime_error& e) {
      BOOST_TEST_MESSAGE(e.what());
    }
  }
  with_large_branch(const with_large_branch&) = delete;
  with_large_branch& operator=(const with_large_branch&) = delete;

  [[nodiscard]] nlohmann::json start_filled(const std::string& pages = "fanotify") const {
    return strata.ask({"compute", "start", "filled", "--pages", pages, "--no-fill"});
  }
  [[nodiscard]] nlohmann::json pages(const std::string& of = "filled") const { return now(of).at("page_counts"); }
  static std::vector<pid_t> children_of(pid_t process) {
    std::vector<pid_t> found;
    const std::string tasks = "/proc/" + std::to_string(process) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::ifstream children(task.path() / "children");
      for (pid_t each = 0; children >> each;) found.push_back(each);
    }
    return found;
  }
  void wait_for_filler(std::uint32_t count) const {
    wait_until("filler " + std::to_string(count) + " runs", [&] {
      const nlohmann::json counts = pages();
      return counts.at("fillers") == count && counts.at("filler_pid") != 0;
    });
  }

  static constexpr const char* sums = "select count(*) || ' ' || sum(i) || ' ' || sum(hashtext(filler)) from large";
  std::string expected;
};

}  // namespace strata::tests
