#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include "pg/page/page.hpp"
#include "pg/verify/cluster_files.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/workload/wal_workload.hpp"

namespace {

namespace core = strata::core;
namespace pg = strata::pg;
namespace pv = strata::pg::verify;
namespace st = strata::tests;

template <class T>
T must(core::result<T> got) {
  if (!got) throw std::runtime_error(core::to_string(got.error()));
  if constexpr (!std::is_void_v<T>) return *std::move(got);
}

/// Damages real block records, and sometimes their pages, and applies them: redo must refuse or give a page whose
/// header is sane, and touch nothing else. Under the asan preset this is what finds an unchecked access.
class mutants {
 public:
  void attempt(const pg::redo::block_record& of, const pv::page_bytes& page, core::lsn end,
               const pg::redo::redo_context& context) {
    core::bytes record(pg::redo::encoded_size(of));
    pg::redo::encode(of, record.data());
    for (unsigned flips = random_() % 6 + 1; flips > 0; --flips)
      record[2 + random_() % (record.size() - 2)] = static_cast<std::uint8_t>(random_());
    core::bytes damaged(page.begin(), page.end());
    if (random_() % 4 == 0)
      for (unsigned flips = random_() % 6 + 1; flips > 0; --flips)
        damaged[random_() % 2 == 0 ? 8 + random_() % 40 : random_() % damaged.size()] =
            static_cast<std::uint8_t>(random_());
    ++tried;
    const auto decoded = pg::redo::decode_block_record(record);
    if (!decoded) return;
    const pg::page::slotted_page view(damaged);
    const bool newer = view.lsn() >= end;
    if (!pg::redo::apply(*decoded, end, context, damaged)) return;
    ++accepted;
    if (!decoded->has_image && !(newer && !decoded->will_init)) damaged_headers += has_sane_header(view) ? 0 : 1;
  }
  std::uint64_t tried = 0;
  std::uint64_t accepted = 0;
  std::uint64_t damaged_headers = 0;  ///< of accepted pages

 private:
  static bool has_sane_header(const pg::page::slotted_page& page) {
    try {
      page.require_sane_header();
      return true;
    } catch (const pg::page::malformed&) {
      return false;
    }
  }
  std::mt19937 random_{20260817};
};

/// A stopped server's WAL, replayed by us over the pages from before.
struct outcome {
  pv::report report;
  mutants damaged;
};

std::string table_of(const pv::report& report) {
  std::ostringstream text;
  text << "record type: records, blocks compared / changed by redo / restored from images\n";
  const auto add = [&](const std::string& name, const pv::record_counts& of) {
    text << "  " << name << ": " << of.records << ", " << of.compared << " / " << of.redone << " / " << of.restored
         << '\n';
  };
  for (const auto& row : report.rows()) add(row.record, row.counts);
  add("all", report.total());
  text << "  map pages compared: " << report.map_pages_compared << "; pages of files: " << report.file_pages_compared
       << ", " << report.file_pages_explained << " of them explained\n  never seen:";
  for (const std::string& name : report.never_seen()) text << ' ' << name;
  return text.str();
}

outcome replay_workload(const st::postgres_install& install, bool data_checksums, std::vector<std::string> config) {
  config.insert(config.end(), {"checkpoint_timeout = 1d", "max_wal_size = 20GB", "wal_keep_size = 20GB",
                               "shared_buffers = 64MB", "max_wal_senders = 4"});
  config.insert(config.end(), st::wal_workload_config.begin(), st::wal_workload_config.end());
  st::postgres_cluster cluster({.data_checksums = data_checksums, .config = std::move(config), .install = install});
  const auto before = must(pv::open_wal_directory(cluster.data_directory()));
  std::string differences;
  std::size_t told = 0;
  outcome result{.report = pv::report(before.major, [&](const pv::mismatch& of) {
                   if (++told > 30) return;
                   differences += of.record + " at " + core::to_string(of.start) + ", " + pg::to_string(of.relation) +
                                  " block " + std::to_string(of.block) + ": " + of.what + "\n";
                 })};
  pv::wal_verifier verifier({.context = {.major = before.major, .hints_are_logged = before.control->hints_are_logged()},
                             .has_base = true,
                             .through_stored_form = true},
                            result.report);
  must(pv::for_each_page(cluster.data_directory(), before.major, [&](const auto&... page) -> core::result<void> {
    verifier.add_base_page(page...);
    return {};
  }));
  cluster.start();
  const char* part = std::getenv("STRATA_WORKLOAD");
  st::run_wal_workload(cluster, part != nullptr ? part : "");
  cluster.stop();
  verifier.observe([&](const auto&... block) { result.damaged.attempt(block...); });
  const auto after = must(pv::open_wal_directory(cluster.data_directory()));
  const auto done = must(pv::replay(after, before.control->checkpoint_copy.redo, {}, verifier));
  BOOST_TEST((done.end > after.control->checkpoint_location), "WAL ended too early: " << done.why_ended);
  must(pv::compare_files(after, verifier, result.report));
  BOOST_TEST_MESSAGE("Postgres " << install.version << "\n"
                                 << table_of(result.report) << "\n  mutants: " << result.damaged.tried << " tried, "
                                 << result.damaged.accepted << " accepted\n"
                                 << differences);
  BOOST_TEST(result.report.mismatches == 0u, differences);
  BOOST_TEST(result.report.file_pages_compared > 3000u);
  BOOST_TEST(result.report.file_pages_explained < 100u);
  BOOST_TEST(result.damaged.damaged_headers == 0u);
  return result;
}

/// Why a type of record is not among those that the workload makes a server write (docs/wal-coverage.md).
bool is_explained(const std::string& type) {
  static const std::set<std::string> explained{
      "XLOG/NOOP",                  // nothing writes it
      "XLOG/END_OF_RECOVERY",       // a standby that is promoted; pg/records has a unit test
      "XLOG/OVERWRITE_CONTRECORD",  // a crash in the middle of a record; pg/wal has unit tests
      "Gist/ASSIGN_LSN",            // wal_level minimal, which no source may have
      "CLOG/TRUNCATE",              // a million transactions that all databases have frozen
      "CommitTs/TRUNCATE",          // the same
      "MultiXact/TRUNCATE_ID",      // 65536 multixacts that all databases have frozen
  };
  return explained.contains(type);
}

/// For docs/wal-coverage.md: a line for each type of record, with the blocks compared and checked by files.
void write_coverage(const st::postgres_install& install, const std::map<std::string, pv::record_counts>& counts) {
  const char* directory = std::getenv("STRATA_COVERAGE_DIR");
  if (directory == nullptr) return;
  std::ofstream file(std::string(directory) + "/" + install.version);
  for (const auto& [name, of] : counts)
    file << name << ' ' << of.records << ' ' << of.compared << ' ' << of.redone << ' ' << of.restored << '\n';
}

}  // namespace

STRATA_CASE_FOR_MAJORS(redo_oracle, every_changed_page_is_what_postgres_logged_and_what_its_files_hold,
                       st::minors::newest_and_oldest) {
  const outcome logged = replay_workload(
      install, false, {"wal_consistency_checking = all", "full_page_writes = off", "wal_level = logical"});
  BOOST_TEST(logged.report.map_pages_compared > 100u);
  BOOST_TEST(logged.damaged.tried > 100000u);
  for (const auto& [name, counts] : logged.report.rows())
    if (counts.redone > 0 && !name.starts_with("XLOG"))
      BOOST_TEST(counts.compared == counts.redone, name << " was not always compared");
  const outcome stored = replay_workload(install, true, {"full_page_writes = on", "wal_level = replica"});

  std::map<std::string, pv::record_counts> counts;
  for (const std::string& type : pg::wal::record_types(static_cast<pg::major_version>(install.major))) counts[type];
  for (const outcome* each : {&logged, &stored})
    for (const auto& row : each->report.rows()) counts[row.record] += row.counts;
  for (const auto& [type, of] : counts) BOOST_TEST((of.records > 0 || is_explained(type)), type << " was never seen");
  write_coverage(install, counts);
}
