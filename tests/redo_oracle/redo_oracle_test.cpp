#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <random>
#include <string>

#include "pg/page/page.hpp"
#include "tests/redo_oracle/replay.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/workload/wal_workload.hpp"

BOOST_AUTO_TEST_SUITE(redo_oracle)

namespace {

namespace core = strata::core;
namespace st = strata::tests;

/// Damages real block records, and sometimes their pages, and applies them: redo must refuse or give a page whose
/// header is sane, and touch nothing else. Under the asan preset this is what finds an unchecked access.
class mutants {
 public:
  void attempt(core::bytes_view stored, const st::page_bytes& page, core::lsn end,
               const strata::pg::redo::redo_context& context) {
    core::bytes record(stored.begin(), stored.end());
    for (unsigned flips = random_() % 6 + 1; flips > 0; --flips)
      record[2 + random_() % (record.size() - 2)] = static_cast<std::uint8_t>(random_());
    core::bytes damaged(page.begin(), page.end());
    if (random_() % 4 == 0)
      for (unsigned flips = random_() % 6 + 1; flips > 0; --flips)
        damaged[random_() % 2 == 0 ? 8 + random_() % 40 : random_() % damaged.size()] =
            static_cast<std::uint8_t>(random_());
    ++tried;
    const auto decoded = strata::pg::redo::decode_block_record(record);
    if (!decoded) return;
    const strata::pg::page::slotted_page view(damaged);
    const bool newer = view.lsn() >= end;
    if (!strata::pg::redo::apply(*decoded, end, context, damaged)) return;
    ++accepted;
    if (!decoded->has_image && !(newer && !decoded->will_init)) damaged_headers += has_sane_header(view) ? 0 : 1;
  }
  std::uint64_t tried = 0;
  std::uint64_t accepted = 0;
  std::uint64_t damaged_headers = 0;  ///< of accepted pages

 private:
  static bool has_sane_header(const strata::pg::page::slotted_page& page) {
    try {
      page.require_sane_header();
      return true;
    } catch (const strata::pg::page::malformed&) {
      return false;
    }
  }
  std::mt19937 random_{20260817};
};

/// A stopped server's WAL, replayed by us over the pages from before.
struct outcome {
  st::oracle_report report;
  std::uint64_t pages_in_files = 0;
  mutants damaged;
};

outcome replay_workload(bool data_checksums, std::vector<std::string> config) {
  config.insert(config.end(), {"wal_level = replica", "autovacuum = off", "checkpoint_timeout = 1d",
                               "max_wal_size = 20GB", "wal_keep_size = 20GB", "shared_buffers = 64MB"});
  st::postgres_cluster cluster({.data_checksums = data_checksums, .config = std::move(config)});
  st::page_store pages(cluster.data_directory());
  cluster.start();
  const char* part = std::getenv("STRATA_WORKLOAD");
  st::run_wal_workload(cluster, part != nullptr ? part : "");
  cluster.stop();
  outcome result;
  pages.observe([&](auto&&... block) { result.damaged.attempt(block...); });
  pages.replay(cluster.data_directory(), result.report);
  result.pages_in_files = pages.compare_with_files(cluster.data_directory(), result.report);
  BOOST_TEST_MESSAGE(result.report.table() << "  pages of files compared: " << result.pages_in_files
                                           << "\n  mutants: " << result.damaged.tried << " tried, "
                                           << result.damaged.accepted << " accepted");
  for (const std::string& difference : result.report.differences) BOOST_TEST_MESSAGE(difference);
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(redo_gives_the_page_that_postgres_logged_after_each_change) {
  const outcome got = replay_workload(false, {"wal_consistency_checking = all", "full_page_writes = off"});
  BOOST_TEST(got.report.difference_count == 0u);
  BOOST_TEST(got.pages_in_files > 3000u);
  BOOST_TEST(got.report.visibility_pages_compared > 100u);
  BOOST_TEST(got.damaged.tried > 100000u);
  BOOST_TEST(got.damaged.damaged_headers == 0u);
  for (const auto& [name, counts] : got.report.by_record)
    if (counts.applied > 0 && !name.starts_with("XLOG"))
      BOOST_TEST(counts.compared == counts.applied, name << " was not always compared");
}

BOOST_AUTO_TEST_CASE(redo_gives_the_files_of_a_cluster_with_checksums_and_full_page_writes) {
  const outcome got = replay_workload(true, {"full_page_writes = on"});
  BOOST_TEST(got.report.difference_count == 0u);
  BOOST_TEST(got.pages_in_files > 3000u);
}

BOOST_AUTO_TEST_SUITE_END()
