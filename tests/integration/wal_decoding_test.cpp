#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/postgres_cluster.hpp"

namespace strata::pg::wal {
namespace {

struct totals {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  ///< without images
  std::uint64_t image_bytes = 0;
  bool operator==(const totals&) const = default;
};
using statistics = std::map<std::string, totals>;

core::bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  BOOST_TEST_REQUIRE(file.good(), path.string());
  return core::bytes(std::istreambuf_iterator<char>(file), {});
}

/// The segments of pg_wal that hold WAL, in order. Segments made ahead of time hold other addresses or zeros.
std::vector<std::filesystem::path> segments_of(const tests::postgres_cluster& server) {
  static const std::regex name("[0-9A-F]{24}");
  std::set<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(server.data_directory() / "pg_wal"))
    if (std::regex_match(entry.path().filename().string(), name)) found.insert(entry.path());
  return {found.begin(), found.end()};
}

core::lsn begin_of(const std::filesystem::path& segment) {
  return core::lsn(std::stoull(segment.filename().string().substr(16), nullptr, 16) * default_wal_segment_size);
}

/// What a pass over all WAL of a server has found.
struct survey {
  statistics by_operation;
  std::map<image_compression, std::uint64_t> images;
  /// The newest state of each block whose last record carried its image.
  std::map<std::pair<relation_fork, block_number>, core::bytes> pages;
  core::lsn begin;
  core::lsn end;
  std::string stopped_by;
};

major_version major_of(const tests::postgres_cluster& server) {
  return static_cast<major_version>(server.install().major);
}

void survey_record(const record& parsed, std::size_t length, major_version major, survey& into) {
  auto& sums = into.by_operation[describe(parsed.manager, parsed.info, major)];
  std::uint64_t image_bytes = 0;
  for (std::size_t i = 0; i < parsed.block_count; ++i) {
    const auto& block = parsed.blocks[i];
    const std::pair place{block.relation, block.block};
    into.pages.erase(place);
    if (!block.has_image) continue;
    image_bytes += block.image.stored.size();
    ++into.images[block.image.compression];
    core::bytes page(page_size);
    const auto restored = restore_image(block.image, parsed.end, page);
    BOOST_TEST_REQUIRE(restored.has_value(), (restored ? "" : restored.error().detail));
    if (block.apply_image) into.pages.emplace(place, std::move(page));
  }
  ++sums.records;
  sums.bytes += length - image_bytes;
  sums.image_bytes += image_bytes;
}

survey survey_wal(const tests::postgres_cluster& server, std::uint64_t system_id) {
  const auto segments = segments_of(server);
  BOOST_TEST_REQUIRE(!segments.empty());
  stream_decoder decoder({.start = begin_of(segments.front()), .major = major_of(server), .system_id = system_id});
  survey result;
  record parsed;
  std::mt19937 random(7);
  for (const auto& segment : segments) {
    const auto bytes = read_file(segment);
    for (core::bytes_view rest = bytes; !rest.empty() && result.stopped_by.empty();) {
      const auto chunk = rest.first(std::min<std::size_t>(rest.size(), 1 + random() % 200000));
      rest = rest.subspan(chunk.size());
      decoder.feed(chunk);
      for (;;) {
        const auto next = decoder.next();
        if (!next) result.stopped_by = next.error().detail;
        if (!next || !*next) break;
        const auto& framed = **next;
        const auto outcome = parse_record(framed.bytes, framed.start, framed.end, major_of(server), parsed);
        BOOST_TEST_REQUIRE(outcome.has_value(), (outcome ? "" : outcome.error().detail));
        if (!result.begin.valid()) result.begin = framed.start;
        survey_record(parsed, framed.bytes.size(), major_of(server), result);
      }
    }
  }
  result.end = decoder.record_end();
  return result;
}

/// The table of pg_waldump: name, count, (share), bytes, (share), image bytes, ...
statistics waldump_statistics(const tests::postgres_cluster& server) {
  const auto segments = segments_of(server);
  const auto shown =
      server.run("pg_waldump", {"--stats=record", "-p", (server.data_directory() / "pg_wal").string(),
                                segments.front().filename().string(), segments.back().filename().string()});
  static const std::regex line(R"(^(\S+/\S+)\s+(\d+) \(.*?\)\s+(\d+) \(.*?\)\s+(\d+) \()");
  statistics result;
  std::istringstream text(shown.out);
  for (std::string row; std::getline(text, row);) {
    std::smatch match;
    if (!std::regex_search(row, match, line)) continue;
    if (const totals sums{std::stoull(match[2]), std::stoull(match[3]), std::stoull(match[4])}; sums.records != 0)
      result[match[1]] = sums;
  }
  return result;
}

/// What the extension pg_walinspect counts.
statistics walinspect_statistics(tests::postgres_cluster& server, const survey& between) {
  server.start();
  server.execute("create extension pg_walinspect");
  statistics result;
  for (const auto& row : server.query("select * from pg_get_wal_stats('" + core::to_string(between.begin) + "', '" +
                                      core::to_string(between.end) + "', true)"))
    if (const totals sums{std::stoull(*row[1]), std::stoull(*row[3]), std::stoull(*row[5])}; sums.records != 0)
      result[*row[0]] = sums;
  server.stop();
  return result;
}

void check_same(const statistics& ours, const statistics& theirs) {
  BOOST_TEST(theirs.size() > 10u);
  BOOST_TEST(ours.size() == theirs.size());
  for (const auto& [name, sums] : theirs) {
    const auto found = ours.find(name);
    BOOST_TEST_REQUIRE((found != ours.end()), "no " << name << " was found");
    BOOST_TEST(found->second.records == sums.records, name);
    BOOST_TEST(found->second.bytes == sums.bytes, name);
    BOOST_TEST(found->second.image_bytes == sums.image_bytes, name);
  }
}

/// Against what comes with that Postgres: pg_waldump, pg_walinspect (from 15 on), or nothing.
void check_statistics(tests::postgres_cluster& server, const survey& ours) {
  if (std::filesystem::exists(server.install().bin / "pg_waldump"))
    check_same(ours.by_operation, waldump_statistics(server));
  else if (server.install().major >= 15)
    check_same(ours.by_operation, walinspect_statistics(server, ours));
}

/// Files may keep remains of moved tuples between a page's two ends; images do not.
void clear_hole(core::bytes_span page) {
  const auto lower = core::load_le<std::uint16_t>(page.data() + 12);
  const auto upper = core::load_le<std::uint16_t>(page.data() + 14);
  BOOST_TEST_REQUIRE((lower <= upper && upper <= page.size()));
  std::fill(page.begin() + lower, page.begin() + upper, std::uint8_t{0});
}

std::uint64_t system_id_of(tests::postgres_cluster& server) {
  return std::stoull(server.value("select system_identifier from pg_control_system()"));
}

void set_compression(tests::postgres_cluster& server, const std::string& how) {
  server.execute("alter system set wal_compression = '" + how + "'");
  server.execute("select pg_reload_conf()");
}

/// Those that this Postgres was built with. 14 calls its only one "on".
std::map<std::string, image_compression> compressions_of(tests::postgres_cluster& server) {
  if (server.install().major == 14) return {{"off", image_compression::none}, {"on", image_compression::pglz}};
  static const std::map<std::string, image_compression> known{{"off", image_compression::none},
                                                              {"pglz", image_compression::pglz},
                                                              {"lz4", image_compression::lz4},
                                                              {"zstd", image_compression::zstd}};
  std::map<std::string, image_compression> found;
  for (const auto& row : server.query("select unnest(enumvals) from pg_settings where name = 'wal_compression'"))
    if (const auto each = known.find(*row[0]); each != known.end()) found.insert(*each);
  return found;
}

STRATA_CASE_FOR_MAJORS(integration_wal_decoding,
                       every_record_is_found_and_every_index_page_restored_with_each_compression,
                       tests::minors::newest) {
  tests::postgres_cluster server(
      {.config = {"wal_keep_size = 4GB", "max_wal_size = 4GB", "autovacuum = off"}, .install = install});
  server.start();
  const auto system_id = system_id_of(server);
  BOOST_TEST_REQUIRE(server.run("pgbench", {"-i", "-q", "-s", "1", "postgres"}).exit_code == 0);
  std::vector<std::string> index_files;
  const auto compressions = compressions_of(server);
  BOOST_TEST(compressions.size() >= 2u);
  for (const auto& [how, compression] : compressions) {
    set_compression(server, how);
    server.execute("checkpoint");
    BOOST_TEST_REQUIRE(server.run("pgbench", {"-n", "-c", "2", "-t", "300", "postgres"}).exit_code == 0);
    server.execute("create table rows_" + how + " as select g, md5(g::text) m from generate_series(1, 20000) g");
    server.execute("create index index_" + how + " on rows_" + how + " (m, g)");
    index_files.push_back(server.value("select pg_relation_filepath('index_" + how + "')"));
    server.execute("select pg_switch_wal()");
  }
  server.stop();

  const auto found = survey_wal(server, system_id);
  for (const auto& [how, compression] : compressions) BOOST_TEST(found.images.at(compression) > 100u, how);

  std::size_t compared = 0;
  for (const auto& file : index_files) {
    auto bytes = read_file(server.data_directory() / file);
    const auto relation = static_cast<oid>(std::stoul(file.substr(file.rfind('/') + 1)));
    BOOST_TEST(bytes.size() > 50 * page_size);
    for (const auto& [place, page] : found.pages) {
      if (place.first.relation != relation || place.first.fork != fork::main) continue;
      const auto at = std::size_t{place.second} * page_size;
      BOOST_TEST_REQUIRE(at + page_size <= bytes.size());
      const auto stored = core::bytes_span(bytes).subspan(at, page_size);
      clear_hole(stored);
      BOOST_TEST(std::equal(page.begin(), page.end(), stored.begin()), to_string(place.first)
                                                                           << " block " << place.second);
      ++compared;
    }
  }
  BOOST_TEST(compared > 100 * compressions.size());
  check_statistics(server, found);
}

// A server that is killed while nothing asks for a flush has written whole pages only, so that its last record lacks
// its end, and notes that when it starts again.
STRATA_CASE_FOR_MAJORS(integration_wal_decoding, records_cut_off_by_a_crash_are_left_out, tests::minors::newest) {
  tests::postgres_cluster server({.config = {"wal_keep_size = 4GB", "max_wal_size = 4GB", "autovacuum = off",
                                             "synchronous_commit = off", "wal_buffers = 64kB"},
                                  .install = install});
  server.start();
  const auto system_id = system_id_of(server);
  server.execute("create table rows (n int, filler text)");
  survey found;
  for (int crash = 0; crash < 8; ++crash) {
    {
      tests::sql_session session(server.conninfo());
      session.execute("begin");
      session.execute("insert into rows select g, repeat('x', 500 + g % 700) from generate_series(1, 3000) g");
      server.kill_all();
    }
    server.start();
    server.stop();
    found = survey_wal(server, system_id);
    if (found.by_operation.contains("XLOG/OVERWRITE_CONTRECORD") && crash > 0) break;
    server.start();
  }
  BOOST_TEST(found.by_operation.contains("XLOG/OVERWRITE_CONTRECORD"));
  check_statistics(server, found);
}

}  // namespace
}  // namespace strata::pg::wal
