#include "pg/files/start_segment.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "pg/files/control_file.hpp"
#include "pg/verify/cluster_files.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::files;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t segment = 1u << 20;

core::bytes read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Keeps the owner of a file that exists.
void write_file(const fs::path& path, const core::bytes& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out) throw std::runtime_error("write " + path.string());
}

/// The stream as a store of WAL would keep it, filled from the files of each life of the server.
class wal_store {
 public:
  void take(const fs::path& pg_wal, core::lsn from, core::lsn to) {
    if (bytes_.empty()) begin_ = from - from.value % segment;
    bytes_.resize(to - begin_);
    for (core::lsn at = from; at < to; at = at - at.value % segment + segment) {
      const core::bytes file = read_file(pg_wal / wal_segment_name(1, at, segment));
      const std::uint64_t end = std::min(segment, at.value % segment + (to - at));
      if (file.size() != segment) throw std::runtime_error("WAL file of " + core::to_string(at) + " is missing");
      std::copy(file.begin() + static_cast<std::ptrdiff_t>(at.value % segment),
                file.begin() + static_cast<std::ptrdiff_t>(end),
                bytes_.begin() + static_cast<std::ptrdiff_t>(at - begin_));
    }
  }
  /// Reads every record from `from` on; gives the last one's start, after which nothing may be missing.
  [[nodiscard]] core::lsn check_chain(core::lsn from, pg::major_version major) const {
    pg::wal::stream_decoder decoder({.start = from, .major = major, .segment_size = segment});
    decoder.feed(core::bytes_view(bytes_).subspan(decoder.position() - begin_));
    core::lsn last;
    while (true) {
      auto record = decoder.next();
      if (!record) throw std::runtime_error(core::to_string(record.error()));
      if (!*record) return last;
      const core::lsn previous(core::load_le<std::uint64_t>((*record)->bytes.data() + 8));
      if (last.valid() && previous != last)
        throw std::runtime_error("record at " + core::to_string((*record)->start) + " does not follow its predecessor");
      last = (*record)->start;
    }
  }
  void write_segments(const fs::path& directory) const {
    for (std::uint64_t at = 0; at < bytes_.size(); at += segment) {
      core::bytes file(
          bytes_.begin() + static_cast<std::ptrdiff_t>(at),
          bytes_.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(at + segment, bytes_.size())));
      file.resize(segment);
      write_file(directory / wal_segment_name(1, begin_ + at, segment), file);
    }
  }

 private:
  core::lsn begin_;
  core::bytes bytes_;
};

struct stopped_at {
  core::lsn last_record;
  core::lsn end;
};

control_file control_of(const tests::postgres_cluster& cluster) {
  auto control = decode_control_file(read_file(cluster.data_directory() / "global/pg_control"));
  if (!control) throw std::runtime_error(core::to_string(control.error()));
  return *std::move(control);
}

/// After a clean stop: the shutdown checkpoint is the last record.
stopped_at end_of_wal(const tests::postgres_cluster& cluster) {
  const core::lsn last = control_of(cluster).checkpoint_location;
  pg::wal::stream_decoder decoder({.start = last, .major = control_of(cluster).major, .segment_size = segment});
  core::lsn at = last;
  while (true) {
    const core::bytes file = read_file(cluster.data_directory() / "pg_wal" / wal_segment_name(1, at, segment));
    decoder.feed(core::bytes_view(file).subspan(at.value % segment));
    auto record = decoder.next();
    if (!record) throw std::runtime_error(core::to_string(record.error()));
    if (*record) return {(*record)->start, (*record)->end};
    at = decoder.position();
  }
}

/// Page headers that lie in [from, to).
std::uint64_t header_bytes(core::lsn from, core::lsn to) {
  std::uint64_t bytes = 0;
  for (std::uint64_t page = (from.value + 8191) / 8192 * 8192; page < to.value; page += 8192)
    bytes += page % segment == 0 ? 40 : 24;
  return bytes;
}

/// Writes one record so that the next one begins at `target` (which is not on a page boundary).
void fill_wal_until(tests::postgres_cluster& cluster, std::uint64_t target) {
  const core::lsn now = *core::parse_lsn(cluster.value("select pg_current_wal_insert_lsn()"));
  // Record header, length of main data, the message's own header, its prefix.
  constexpr std::uint64_t overhead = 24 + 5 + 24 + 2;
  const std::uint64_t size = core::lsn(target) - now - header_bytes(now, core::lsn(target)) - overhead;
  cluster.execute("select pg_logical_emit_message(false, 'p', repeat('x', " + std::to_string(size) + "))");
}

/// Throws away all WAL of a stopped cluster and makes it start at `end` from synthesized files.
void rebuild_at(const tests::postgres_cluster& cluster, const stopped_at& at) {
  const fs::path control_path = cluster.data_directory() / "global/pg_control";
  const core::bytes original = read_file(control_path);
  const control_file control = control_of(cluster);
  const auto made = start_segments({.position = at.end,
                                    .previous = at.last_record,
                                    .counters = control.checkpoint_copy,
                                    .system_id = control.system_id,
                                    .segment_size = control.wal_segment_size,
                                    .major = control.major});
  if (!made) throw std::runtime_error(core::to_string(made.error()));
  const auto derived = shut_down_control_file(original, made->copy);
  if (!derived) throw std::runtime_error(core::to_string(derived.error()));
  write_file(control_path, *derived);

  const fs::path pg_wal = cluster.data_directory() / "pg_wal";
  for (const auto& entry : fs::directory_iterator(pg_wal))
    if (entry.is_regular_file()) fs::remove(entry.path());
  for (const sparse_file& file : made->segments) {
    write_file(pg_wal / file.name, file.read(0, file.size));
    fs::permissions(pg_wal / file.name, fs::perms::all & ~fs::perms::others_exec);
  }
}

/// Some distributions of Postgres come without pg_waldump.
void check_with_waldump(const tests::postgres_cluster& cluster, const wal_store& store, core::lsn first,
                        stopped_at at) {
  if (!fs::exists(cluster.install().bin / "pg_waldump")) return;
  const fs::path stitched = cluster.work_directory() / "stitched";
  fs::create_directory(stitched);
  store.write_segments(stitched);
  fs::permissions(stitched, fs::perms::all);
  const auto dumped = cluster.run("pg_waldump", {"-p", stitched.string(), "-s", core::to_string(first), "-e",
                                                 core::to_string(at.last_record + 1), "--stats"});
  BOOST_TEST(dumped.exit_code == 0);
  BOOST_TEST(dumped.err == "");
}

/// What `strata wal verify` does with such a directory, whose WAL begins inside a segment.
void verify_wal(const tests::postgres_cluster& cluster) {
  const auto opened = pg::verify::open_wal_directory(cluster.data_directory());
  BOOST_REQUIRE(opened.has_value());
  std::string differences;
  pg::verify::report report(opened->major, [&](const pg::verify::mismatch& of) { differences += of.what + "\n"; });
  pg::verify::wal_verifier verifier(
      {.context = {.major = opened->major, .hints_are_logged = opened->control->hints_are_logged()}}, report);
  const auto done = pg::verify::replay(*opened, {}, {}, verifier);
  BOOST_REQUIRE(done.has_value());
  BOOST_TEST((done->end > opened->control->checkpoint_location), done->why_ended);
  BOOST_TEST(pg::verify::compare_files(*opened, verifier, report));
  BOOST_TEST(report.mismatches == 0u, differences);
}

}  // namespace

STRATA_CASE_FOR_MAJORS(integration_start_segment, a_stock_server_starts_anywhere_and_its_wal_continues_the_stream,
                       tests::minors::newest) {
  tests::postgres_cluster cluster(
      {.initdb_arguments = {"--wal-segsize=1"},
       .config = {"wal_keep_size = 64MB", "autovacuum = off", "max_prepared_transactions = 5"},
       .install = install});
  cluster.start();
  cluster.execute("create table t (life int, x int); create unlogged table u (x int)");
  cluster.stop();

  wal_store store;
  stopped_at at = end_of_wal(cluster);
  const core::lsn first = at.last_record;
  store.take(cluster.data_directory() / "pg_wal", first - first.value % segment, at.end);

  // Where the synthesized record begins, relative to a page or segment boundary; the clean stop before it writes a
  // checkpoint record of 120 bytes.
  struct place {
    std::uint64_t boundary;
    std::uint64_t before;
  };
  const place places[] = {{8192, 0},    {8192, 8},    {8192, 56},    {8192, 112},    {8192, 120}, {8192, 128},
                          {segment, 0}, {segment, 8}, {segment, 64}, {segment, 120}, {8192, 4096}};
  int life = 0;
  for (const place& aimed : places) {
    rebuild_at(cluster, at);
    cluster.start();
    const core::lsn began = at.end;
    ++life;
    BOOST_TEST(cluster.value("select count(*) from t") == std::to_string(100 * (life - 1)));
    cluster.execute("insert into t select " + std::to_string(life) + ", generate_series(1, 100)");
    const core::lsn now = *core::parse_lsn(cluster.value("select pg_current_wal_insert_lsn()"));
    const std::uint64_t boundary = (now.value + 4096 + aimed.boundary) / aimed.boundary * aimed.boundary;
    fill_wal_until(cluster, boundary - aimed.before - 120);
    cluster.stop();
    verify_wal(cluster);
    at = end_of_wal(cluster);
    BOOST_TEST_MESSAGE("life " << life << " ended at " << core::to_string(at.end) << ", " << boundary - at.end.value
                               << " before a boundary");
    BOOST_TEST(cluster.log().find("not properly shut down") == std::string::npos);
    BOOST_TEST(cluster.log().find("PANIC") == std::string::npos);
    store.take(cluster.data_directory() / "pg_wal", began, at.end);
  }

  BOOST_TEST(store.check_chain(first, control_of(cluster).major).value == at.last_record.value);
  check_with_waldump(cluster, store, first, at);
}
