#include <boost/test/unit_test.hpp>
#include <fstream>
#include <tuple>

#include "tests/support/pagestream_client.hpp"
#include "tests/support/strata_server.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_export_boundary)

namespace {

namespace core = strata::core;
namespace fs = std::filesystem;

constexpr std::uint64_t page = 8192;
constexpr std::uint64_t segment = 16u << 20;

/// A source whose WAL ends where a test wants it: with messages in WAL of a chosen size.
class wal_writer {
 public:
  explicit wal_writer(postgres_cluster& source) : source_(source), session_(source.conninfo()) {
    session_.execute("CREATE TABLE mark (n int PRIMARY KEY)");
  }

  /// One more row, so that an export tells which point it is of.
  int mark() {
    session_.execute("INSERT INTO mark VALUES (" + std::to_string(++marks_) + ")");
    return marks_;
  }
  core::lsn end() { return lsn_from(session_.value("SELECT pg_current_wal_insert_lsn()")); }

  /// Writes until the last record ends exactly on a multiple of `boundary`.
  core::lsn fill_up_to(std::uint64_t boundary) {
    for (int attempt = 0; attempt < 200; ++attempt) {
      const core::lsn now = end();
      const std::uint64_t left = boundary - now.value % boundary;
      if (before_page_header(now).value % boundary == 0) return before_page_header(now);
      if (left > 2 * page) {
        write(std::min(left - 2 * page, std::uint64_t{1} << 20));
      } else if (left > page) {
        write(64);
      } else if (left < smallest_record) {
        write(200);
      } else {
        // A record of exactly what is left; a record of the server's own in between spoils it, then again.
        write_record_of(left);
      }
    }
    throw std::runtime_error("the WAL of the source never ended on the boundary");
  }

  /// Where a record of several pages lies: its two ends.
  std::pair<core::lsn, core::lsn> write_long_record() {
    const core::lsn begin = end();
    write(3 * page);
    return {begin, end()};
  }
  void flush() { session_.execute("SELECT txid_current()"); }
  core::lsn switch_segment() {
    session_.execute("SELECT pg_switch_wal()");
    return end();
  }

 private:
  // 24 bytes header, 2 or 5 bytes for the length of the rest, and 24 bytes before the prefix "x\0".
  static constexpr std::uint64_t overhead = 24 + 24 + 2;
  static constexpr std::uint64_t smallest_record = 64;

  void write(std::uint64_t size) {
    session_.execute("SELECT pg_logical_emit_message(false, 'x', repeat('m', " + std::to_string(size) + "))");
  }
  void write_record_of(std::uint64_t size) {
    const bool small = size - overhead - 2 + 26 < 256;
    write(size - overhead - (small ? 2 : 5));
  }

  postgres_cluster& source_;
  sql_session session_;
  int marks_ = 0;
};

struct boundary {
  std::string name;
  core::lsn at;
  int marks;  ///< rows that were committed before
};

/// `strata export` to a directory, with a trusting pg_hba.conf: an export asks for the source's passwords otherwise.
fs::path unpack(const strata_server& strata, const std::string& spec, const fs::path& parent, const std::string& name) {
  const fs::path archive = parent / (name + ".tar");
  const finished exported = strata.cli({"export", spec, "-o", archive});
  BOOST_REQUIRE_MESSAGE(exported.exit_code == 0, "export " << spec << ": " << exported.out << exported.err);
  const fs::path directory = parent / name;
  fs::create_directory(directory);
  const finished unpacked = run({.arguments = {"tar", "-x", "-f", archive, "-C", directory}});
  BOOST_REQUIRE_MESSAGE(unpacked.exit_code == 0, unpacked.err);
  fs::remove(archive);
  return directory;
}

void check_export(const strata_server& strata, const boundary& point) {
  BOOST_TEST_CONTEXT(point.name << " at " << core::to_string(point.at)) {
    const temp_dir place;
    const fs::path directory = unpack(strata, "main@" + core::to_string(point.at), place.path(), "data");
    std::ofstream(directory / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n";
    const auto restored = postgres_cluster::adopt(directory, {"fsync = off"});
    const finished control = restored->run("pg_controldata", {});
    BOOST_TEST(control.out.find("Database cluster state:               shut down\n") != std::string::npos, control.out);
    restored->start();
    BOOST_TEST(restored->log().find("database system was not properly shut down") == std::string::npos);
    BOOST_TEST(restored->log().find("redo starts") == std::string::npos);
    BOOST_TEST(restored->value("SELECT coalesce(max(n), 0) || '/' || count(*) FROM mark") ==
               std::to_string(point.marks) + "/" + std::to_string(point.marks));
    restored->execute("INSERT INTO mark SELECT n + 1000 FROM mark; CREATE TABLE more AS SELECT 1 AS x");
    restored->execute("CHECKPOINT");
    // Its WAL must carry on from the synthesized beginning: a crash right now is recovered from it.
    restored->execute("INSERT INTO more VALUES (2)");
    restored->kill_all();
    restored->start();
    BOOST_TEST(restored->value("SELECT sum(x) FROM more") == "3");
    const finished checked = restored->run("pg_amcheck", {"--all", "--install-missing", "--heapallindexed"});
    BOOST_TEST(checked.exit_code == 0, checked.out << checked.err);
  }
}

/// Makes the WAL first and exports afterwards: every point is in the past then.
std::vector<boundary> make_boundaries(wal_writer& wal) {
  std::vector<boundary> points;
  int marks = wal.mark();
  const core::lsn page_end = wal.fill_up_to(page);
  points.push_back({"a page boundary", page_end, marks});
  points.push_back({"a page boundary, behind the page's header", page_end + 24, marks});

  marks = wal.mark();
  const auto [begin, end] = wal.write_long_record();
  points.push_back({"inside a record's continuation", core::lsn((begin.value / page + 2) * page + 1000), marks});
  points.push_back(
      {"inside a record's continuation, on no multiple of 8", core::lsn((begin.value / page + 1) * page + 333), marks});
  points.push_back(
      {"inside a record, on the boundary of its second page", core::lsn((begin.value / page + 1) * page), marks});
  points.push_back({"the end of a record of several pages", end, marks});

  marks = wal.mark();
  const core::lsn segment_end = wal.fill_up_to(segment);
  points.push_back({"a segment boundary", segment_end, marks});
  points.push_back({"a segment boundary, behind its long header", segment_end + 40, marks});

  marks = wal.mark();
  wal.flush();
  const core::lsn switched = wal.switch_segment();
  points.push_back({"right after a WAL switch", switched, marks});
  points.push_back(
      {"inside the zeros behind a WAL switch", core::lsn(before_page_header(switched).value - 4096), marks});
  wal.mark();
  return points;
}

}  // namespace

BOOST_AUTO_TEST_CASE(exports_at_all_kinds_of_positions_start_as_if_shut_down_there) {
  postgres_cluster source({.data_checksums = true, .config = {"autovacuum = off"}});
  source.start();
  strata_server strata;
  strata.start();
  strata.add_source("s", source.conninfo());
  wal_writer wal(source);
  const auto points = make_boundaries(wal);
  strata.wait_for_lsn("s", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()")));
  for (const boundary& point : points) check_export(strata, point);
}

BOOST_AUTO_TEST_CASE(a_source_with_another_segment_size_is_exported_with_it) {
  postgres_cluster source({.initdb_arguments = {"--wal-segsize=1"}, .config = {"autovacuum = off"}});
  source.start();
  strata_server strata;
  strata.start();
  strata.add_source("s", source.conninfo());
  source.execute("CREATE TABLE mark AS SELECT 1 AS n");
  const core::lsn now = lsn_from(source.value("SELECT pg_current_wal_insert_lsn()"));
  source.execute("INSERT INTO mark VALUES (2)");
  strata.wait_for_lsn("s", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()")));
  check_export(strata, {"a 1 MiB segment", now, 1});
}

BOOST_AUTO_TEST_CASE(backups_of_the_page_service_hold_what_an_export_holds) {
  postgres_cluster source;
  source.start();
  source.execute("CREATE TABLE mark AS SELECT 42 AS n");
  strata_server strata;
  strata.start();
  strata.add_source("s", source.conninfo());
  const std::string of = " " + strata.tenant_id("s") + " " + strata.timeline("s").at("timeline_id").get<std::string>();
  const temp_dir place;
  const auto unpacked = [&](const std::string& command, const std::string& name, const char* how) {
    const fs::path directory = place / name;
    fs::create_directory(directory);
    const core::bytes archive = copy_out(strata.page_port(), command);
    const finished tar =
        run({.arguments = {"tar", how, "-f", "-", "-C", directory}, .input = {archive.begin(), archive.end()}});
    BOOST_REQUIRE_MESSAGE(tar.exit_code == 0, command << ": " << tar.err);
    return directory;
  };
  const fs::path full = unpacked("fullbackup" + of, "full", "-x");
  std::ofstream(full / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n";
  const auto restored = postgres_cluster::adopt(full, {"fsync = off"});
  restored->start();
  BOOST_TEST(restored->value("SELECT n FROM mark") == "42");

  // For a compute that fetches its relations from the page service: everything else.
  for (const auto& [command, name, how] : {std::tuple("basebackup" + of, "small", "-x"),
                                           std::tuple("basebackup" + of + " latest --gzip", "packed", "-xz")}) {
    const fs::path small = unpacked(command, name, how);
    BOOST_TEST(fs::exists(small / "global/pg_control"));
    BOOST_TEST(fs::exists(small / "neon.signal"));
    BOOST_TEST(fs::exists(small / "pg_xact/0000"));
    BOOST_TEST(!fs::exists(small / "base/1/1259"));
  }
}

BOOST_AUTO_TEST_SUITE_END()
