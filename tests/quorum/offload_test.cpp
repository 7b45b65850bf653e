#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "pg/files/start_segment.hpp"
#include "tests/support/postgres_install.hpp"
#include "tests/support/quorum_cluster.hpp"
#include "tests/support/sql_session.hpp"

using namespace strata;
using namespace strata::tests;
using nlohmann::json;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t segment_size = 16u << 20;
core::lsn segment_of(core::lsn at) { return at - at.value % segment_size; }

/// A branch that is written to, its three safekeepers, and the directory that is their object storage.
struct offloading {
  offloading() {
    cluster.start_compute();
    sql_session(cluster.conninfo()).execute("CREATE TABLE filler (i int, text text)");
    start = lsn_at(1, "timeline_start_lsn");
    wait_until("all safekeepers hear of each other",
               [&] { return std::ranges::all_of(ids, [&](int id) { return on(id).at("peers").size() == 2; }); });
    settle(ids);
  }

  json on(int id, const std::string& method = "GET", const std::string& what = "") const {
    return cluster.safekeeper_api(id, method, path + what);
  }
  [[nodiscard]] core::lsn lsn_at(int id, const char* name) const { return lsn_from(on(id).at(name)); }
  void checkpoint_safekeepers() const {
    for (const int id : ids) on(id, "POST", "/checkpoint");
  }
  /// The pageserver's layers have everything: it needs no WAL any more.
  void checkpoint_pageserver(const std::set<int>& of) const {
    const core::lsn end = before_page_header(lsn_at(*of.begin(), "commit_lsn"));
    wait_until("the pageserver has it in its files", [&] {
      cluster.strata().api("PUT", path + "/checkpoint");
      return std::ranges::all_of(of, [&](int id) { return lsn_at(id, "remote_consistent_lsn") >= end; });
    });
  }

  /// So many whole segments more, with some records in each.
  void fill(int segments) const {
    sql_session session(cluster.conninfo());
    for (int i = 0; i < segments; ++i) {
      session.execute("INSERT INTO filler SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 500) i");
      session.execute("SELECT pg_switch_wal()");
    }
    session.execute("INSERT INTO filler VALUES (0, 'the end')");
  }
  /// Until every whole segment of what `of` have committed is stored.
  void settle(const std::set<int>& of) const {
    wait_until(
        "all that is whole is in object storage",
        [&] {
          nothing_is_missing(of);
          core::lsn commit;
          for (const int id : of) commit = std::max(commit, lsn_at(id, "commit_lsn"));
          return std::ranges::all_of(of, [&](int id) { return lsn_at(id, "backup_lsn") == segment_of(commit); });
        },
        2min);
  }

  [[nodiscard]] fs::path segment_file(core::lsn at) const {
    return store / pg::files::wal_segment_name(1, at, segment_size);
  }
  /// What a safekeeper has removed is stored, and the pageserver has it in its files.
  void nothing_is_missing(const std::set<int>& of) const {
    for (const int id : of) {
      const json its = on(id);
      const core::lsn begin = lsn_from(its.at("wal_begin_lsn"));
      const core::lsn stored = lsn_from(its.at("backup_lsn"));
      BOOST_TEST((begin <= stored && begin <= lsn_from(its.at("remote_consistent_lsn"))), its.dump());
      // Asked later: it only grows.
      BOOST_TEST((begin <= lsn_from(cluster.strata().timeline("s", "dev").at("disk_consistent_lsn"))), its.dump());
      std::vector<core::lsn> missing;
      for (core::lsn at = segment_of(start); at < stored; at = at + segment_size)
        if (!fs::exists(segment_file(at)) && fs::is_directory(store)) missing.push_back(at);
      // Asked later, likewise.
      const core::lsn needed = needed_from();
      for (const core::lsn at : missing) BOOST_TEST((at + segment_size <= needed), segment_file(at) << " is missing");
    }
  }
  /// Every safekeeper has the WAL before it, and the pageserver has it in its files.
  [[nodiscard]] core::lsn needed_from() const {
    core::lsn known;
    for (const int id : ids) try {
        const json its = on(id);
        known =
            std::max(known, std::min(lsn_from(its.at("remote_consistent_lsn")), lsn_from(its.at("peer_horizon_lsn"))));
      } catch (const std::exception&) {  // it is away
      }
    return known;
  }
  [[nodiscard]] std::set<std::string> stored_segments() const {
    std::set<std::string> names;
    for (const auto& each : fs::directory_iterator(store)) names.insert(each.path().filename());
    return names;
  }
  /// Postgres's own tool reads all that is still needed, up to the record at `end`.
  void can_be_read_up_to(core::lsn end) const {
    // What nobody needs is removed meanwhile, the oldest first: the tool gets links that stay.
    const fs::path links = cluster.strata().directory() / "read";
    fs::create_directory(links);
    core::lsn from = segment_of(end) + segment_size;
    for (std::error_code gone; from > segment_of(start); from = from - segment_size) {
      const fs::path file = segment_file(from - segment_size);
      fs::create_hard_link(file, links / file.filename(), gone);
      if (gone) break;
    }
    BOOST_TEST_REQUIRE((from <= segment_of(end)));
    BOOST_TEST((from <= segment_of(needed_from())));
    for (const auto& each : fs::directory_iterator(links)) BOOST_TEST(each.file_size() == segment_size);
    const finished read =
        run({.arguments = {program_of(postgres_installs().front(), "pg_waldump"), "-q", "-p", links.string(), "-s",
                           core::to_string(std::max(from, start)), "-e", core::to_string(end)}});
    BOOST_TEST(read.exit_code == 0, read.err);
  }
  /// The end of a record that is stored.
  [[nodiscard]] core::lsn mark() const {
    const core::lsn at = lsn_from(sql_session(cluster.conninfo()).value("SELECT pg_current_wal_flush_lsn()"));
    fill(1);
    return at;
  }

  /// How many segments each has stored since it was started.
  [[nodiscard]] std::map<int, int> stored_by(const std::set<int>& of) const {
    const std::string name = "strata_safekeeper_segments_offloaded_total";
    std::map<int, int> counts;
    for (const int id : of) {
      const std::string all = cluster.safekeeper_api(id, "GET", "/metrics");
      const auto line = all.find("\n" + name);
      const auto number = line == std::string::npos ? line : all.find(' ', line);
      counts[id] = number == std::string::npos ? 0 : std::stoi(all.substr(number + 1));
    }
    return counts;
  }
  /// Who has stored what `fill` made; the number of segments must be exact.
  int who_stores(int segments, const std::set<int>& of) const {
    const auto before = stored_by(of);
    const core::lsn from = lsn_at(*of.begin(), "backup_lsn");
    fill(segments);
    settle(of);
    const auto made = (lsn_at(*of.begin(), "backup_lsn") - from) / segment_size;
    int who = 0;
    for (const auto& [id, count] : stored_by(of)) {
      const int its = count - before.at(id);
      if (its == 0) continue;
      BOOST_TEST(who == 0, "safekeepers " << who << " and " << id << " both do");
      BOOST_TEST(static_cast<std::uint64_t>(its) == made);
      who = id;
    }
    BOOST_TEST_REQUIRE(who != 0);
    return who;
  }

  quorum_cluster cluster;
  const std::set<int> ids{1, 2, 3};
  const std::string path = cluster.strata().timeline_path("s", "dev");
  const json timeline = cluster.strata().timeline("s", "dev");
  fs::path store = cluster.strata().directory() / "wal_backup" / timeline.at("tenant_id").get<std::string>() /
                   timeline.at("timeline_id").get<std::string>();
  core::lsn start;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(quorum_offload, offloading)

BOOST_AUTO_TEST_CASE(one_stores_and_when_it_is_killed_another_one_goes_on) {
  const int first = who_stores(3, ids);
  BOOST_TEST(who_stores(2, ids) == first);

  // It can't be started again where there is no place for its directory.
  const pid_t victim = cluster.safekeeper(first);
  const fs::path directory = cluster.safekeeper_directory(first);
  const fs::path away = directory.string() + ".away";
  fs::rename(directory, away);
  std::ofstream(directory) << "in the way";
  ::kill(victim, SIGKILL);
  wait_until("it is gone", [&] { return ::kill(victim, 0) != 0; });
  std::set<int> others = ids;
  others.erase(first);
  // It is counted on for as long as its last news is new.
  fill(1);
  settle(others);
  const int second = who_stores(3, others);
  BOOST_TEST(second != first);
  checkpoint_pageserver(others);
  nothing_is_missing(others);

  fs::remove(directory);
  fs::rename(away, directory);
  cluster.wait_for_new_safekeeper(first, victim);
  fill(2);
  const core::lsn end = mark();
  settle(ids);
  can_be_read_up_to(end);
  checkpoint_pageserver(ids);
  checkpoint_safekeepers();
  nothing_is_missing(ids);
  // It has learnt of what was stored without it.
  for (const int id : ids) BOOST_TEST((lsn_at(id, "wal_begin_lsn") >= segment_of(end)), "safekeeper " << id);

  // What nobody needs any more goes from object storage, too, with what one that was killed had begun to store.
  fill(1);
  checkpoint_pageserver(ids);
  wait_until("only what is needed is in object storage", [&] {
    const auto names = stored_segments();
    return names.empty() || (*names.begin() >= segment_file(segment_of(end)).filename().string() &&
                             std::ranges::none_of(names, [](const auto& name) { return name.ends_with(".tmp"); }));
  });
}

BOOST_AUTO_TEST_CASE(wal_stays_until_it_is_stored_and_the_pageserver_has_it) {
  fill(3);
  settle(ids);
  checkpoint_safekeepers();
  // The pageserver has it in memory only.
  for (const int id : ids) BOOST_TEST((lsn_at(id, "wal_begin_lsn") == start), "safekeeper " << id);
  checkpoint_pageserver(ids);
  checkpoint_safekeepers();
  const core::lsn stored = lsn_at(1, "backup_lsn");
  for (const int id : ids) BOOST_TEST((lsn_at(id, "wal_begin_lsn") == stored), "safekeeper " << id);

  // Now the pageserver has more than object storage, which takes nothing.
  fs::rename(store, store.string() + ".away");
  std::ofstream(store) << "in the way";
  fill(3);
  checkpoint_pageserver(ids);
  wait_until("somebody tells of it",
             [&] { return std::ranges::any_of(ids, [&](int id) { return on(id).at("last_error") != ""; }); });
  checkpoint_safekeepers();
  for (const int id : ids) {
    BOOST_TEST((lsn_at(id, "backup_lsn") == stored), "safekeeper " << id);
    BOOST_TEST((lsn_at(id, "wal_begin_lsn") == stored), "safekeeper " << id);
  }
  fs::remove(store);
  fs::rename(store.string() + ".away", store);
  settle(ids);
  const core::lsn end = mark();
  settle(ids);
  can_be_read_up_to(end);
  checkpoint_pageserver(ids);
  checkpoint_safekeepers();
  for (const int id : ids) BOOST_TEST((lsn_at(id, "wal_begin_lsn") >= segment_of(end)), "safekeeper " << id);
}

BOOST_AUTO_TEST_SUITE_END()
