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
  core::lsn end;
  std::string stopped_by;
};

void survey_record(const record& parsed, std::size_t length, survey& into) {
  auto& sums = into.by_operation[describe(parsed.manager, parsed.info)];
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
  stream_decoder decoder({.start = begin_of(segments.front()), .system_id = system_id});
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
        const auto outcome = parse_record(framed.bytes, framed.start, framed.end, major_version::v15, parsed);
        BOOST_TEST_REQUIRE(outcome.has_value(), (outcome ? "" : outcome.error().detail));
        survey_record(parsed, framed.bytes.size(), result);
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

void check_same(const survey& ours, const statistics& theirs) {
  BOOST_TEST(theirs.size() > 10u);
  BOOST_TEST(ours.by_operation.size() == theirs.size());
  for (const auto& [name, sums] : theirs) {
    const auto found = ours.by_operation.find(name);
    BOOST_TEST_REQUIRE((found != ours.by_operation.end()), "no " << name << " was found");
    BOOST_TEST(found->second.records == sums.records, name);
    BOOST_TEST(found->second.bytes == sums.bytes, name);
    BOOST_TEST(found->second.image_bytes == sums.image_bytes, name);
  }
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

BOOST_AUTO_TEST_SUITE(integration_wal_decoding)

BOOST_AUTO_TEST_CASE(every_record_is_found_and_every_index_page_restored_with_each_compression) {
  tests::postgres_cluster server({.config = {"wal_keep_size = 4GB", "max_wal_size = 4GB", "autovacuum = off"}});
  server.start();
  const auto system_id = system_id_of(server);
  BOOST_TEST_REQUIRE(server.run("pgbench", {"-i", "-q", "-s", "1", "postgres"}).exit_code == 0);
  std::vector<std::string> index_files;
  for (const std::string how : {"off", "pglz", "lz4", "zstd"}) {
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
  check_same(found, waldump_statistics(server));
  for (const auto how :
       {image_compression::none, image_compression::pglz, image_compression::lz4, image_compression::zstd})
    BOOST_TEST(found.images.at(how) > 100u);

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
  BOOST_TEST(compared > 400u);
}

// A server that is killed while nothing asks for a flush has written whole pages only, so that its last record lacks
// its end, and notes that when it starts again.
BOOST_AUTO_TEST_CASE(records_cut_off_by_a_crash_are_left_out) {
  tests::postgres_cluster server({.config = {"wal_keep_size = 4GB", "max_wal_size = 4GB", "autovacuum = off",
                                             "synchronous_commit = off", "wal_buffers = 64kB"}});
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
  check_same(found, waldump_statistics(server));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::pg::wal
