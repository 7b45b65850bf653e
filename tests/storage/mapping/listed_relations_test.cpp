#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>

#include "pg/files/data_directory.hpp"
#include "pg/files/relation_manifest.hpp"
#include "storage/mapping/directory.hpp"
#include "storage/mapping/start_bundle.hpp"
#include "tests/storage/mapping/imported_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::storage;
using mapping::data_directory_kind;
using mapping::start_bundle;

namespace {

constexpr pg::major_version major = pg::major_version::v15;

core::bytes many_pages(std::uint32_t count) {
  core::bytes file;
  for (std::uint32_t i = 0; i < count; ++i) core::append(file, make_page(static_cast<std::uint8_t>(1 + i % 200)));
  return file;
}

/// With catalogs in the three databases of initdb and in one that was created.
hand_made_backup with_catalogs() {
  hand_made_backup backup;
  for (const std::string database : {"1", "4", "5", "16600"}) {
    const std::string directory = "base/" + database + "/";
    backup.files[directory + "PG_VERSION"] = bytes_of("15\n");
    backup.files[directory + "pg_filenode.map"] = core::bytes(512, 2);
    backup.files[directory + "1259"] = many_pages(14);
    backup.files[directory + "1259_vm"] = many_pages(1);
    backup.files[directory + "1259_fsm"] = many_pages(3);
    backup.files[directory + "1249"] = many_pages(start_bundle::relation_blocks_max);
    backup.files[directory + "2619"] = many_pages(start_bundle::relation_blocks_max + 1);
    backup.files[directory + "1255"] = many_pages(2);  // no start reads it
    backup.files[directory + "2604"] = {};
  }
  return backup;
}

struct listed_fixture : imported_fixture {
  listed_fixture() : imported_fixture(with_catalogs()) {
    full = files(data_directory_kind::full);
    listed = files(data_directory_kind::listed);
    const auto decoded = pg::files::decode_relation_manifest(listed.at(pg::files::relation_manifest_path));
    BOOST_REQUIRE(decoded);
    manifest = *decoded;
  }
  /// The size in blocks, nothing when the archive has the file itself or it does not exist.
  [[nodiscard]] std::optional<std::uint32_t> listed_blocks(pg::oid database, pg::oid relation, pg::fork fork) const {
    const pg::relation_fork of{pg::default_tablespace, database, relation, fork};
    const auto found = std::ranges::find(manifest.forks, of, &pg::files::listed_fork::relation);
    if (found == manifest.forks.end()) return std::nullopt;
    return found->blocks;
  }
  /// What a page service answers, by the path of the file.
  std::map<std::string, core::bytes> pages_of_listed() {
    std::map<std::string, core::bytes> found;
    for (const auto& each : manifest.forks) {
      core::bytes& content = found[pg::files::relation_path({each.relation, 0}, manifest.major)];
      content.resize(std::size_t{each.blocks} * pg::page_size);
      std::vector<mapping::page_request> requests;
      for (pg::block_number block = 0; block < each.blocks; ++block)
        requests.push_back({each.relation,
                            block,
                            core::bytes_span(content).subspan(std::size_t{block} * pg::page_size, pg::page_size),
                            {}});
      mapping::read_relation_pages(*store, requests, manifest.at, read_mode::may_block);
      for (const auto& request : requests) BOOST_TEST(!request.failure);
    }
    return found;
  }
  std::map<std::string, core::bytes> full, listed;
  pg::files::relation_manifest manifest;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_listed_relations)

BOOST_FIXTURE_TEST_CASE(with_its_listed_pages_the_listed_kind_is_the_full_one, listed_fixture) {
  BOOST_TEST(manifest.major == major);
  BOOST_TEST((manifest.at == at));
  std::map<std::string, core::bytes> together = pages_of_listed();
  BOOST_TEST(together.size() == manifest.forks.size());
  for (const auto& [name, content] : listed) {
    BOOST_TEST(!together.contains(name), name << " is in the archive and in the list");
    together[name] = content;
  }
  BOOST_TEST(together.erase(pg::files::relation_manifest_path) == 1u);
  for (const auto& each : manifest.segments) together["pg_wal/" + each.name] = each.read(0, each.size);
  BOOST_TEST(!together.contains("global/pg_control"));
  auto control = together.extract(pg::files::held_control_file_path);
  BOOST_REQUIRE(!control.empty());
  control.key() = "global/pg_control";
  together.insert(std::move(control));
  for (const auto& [name, content] : full) {
    if (name.ends_with("_fsm")) {
      BOOST_TEST(!together.contains(name), name);
      continue;
    }
    BOOST_REQUIRE_MESSAGE(together.contains(name), name);
    BOOST_TEST((together.at(name) == content), name);
    together.erase(name);
  }
  for (const auto& [name, content] : together) BOOST_ERROR(name << " is not in the full kind");
}

BOOST_FIXTURE_TEST_CASE(what_every_start_reads_is_in_the_archive, listed_fixture) {
  BOOST_TEST(listed.contains("global/1262"));
  for (const std::string database : {"5", "16600"})
    for (const std::string relation : {"1259", "1249"})
      BOOST_TEST(listed.contains("base/" + database + "/" + relation), database << "/" << relation);
  for (const pg::oid database : {5u, 16600u}) {
    BOOST_TEST((listed_blocks(database, 2619, pg::fork::main) == start_bundle::relation_blocks_max + 1));
    BOOST_TEST((listed_blocks(database, 1255, pg::fork::main) == 2u));
    BOOST_TEST((listed_blocks(database, 1259, pg::fork::vm) == 1u));
    BOOST_TEST((listed_blocks(database, 2604, pg::fork::main) == 0u));
  }
}

BOOST_FIXTURE_TEST_CASE(templates_are_listed_only, listed_fixture) {
  for (const pg::oid database : {1u, 4u}) {
    BOOST_TEST((listed_blocks(database, 1259, pg::fork::main) == 14u));
    BOOST_TEST(listed.contains("base/" + std::to_string(database) + "/PG_VERSION"));
    BOOST_TEST(listed.contains("base/" + std::to_string(database) + "/pg_filenode.map"));
  }
}

BOOST_FIXTURE_TEST_CASE(relations_of_users_are_listed_with_their_sizes_at_the_lsn, listed_fixture) {
  BOOST_TEST((listed_blocks(5, 16384, pg::fork::main) == 3u));
  BOOST_TEST((listed_blocks(5, 16384, pg::fork::vm) == 1u));
  BOOST_TEST((listed_blocks(5, 16400, pg::fork::main) == 0u));
  BOOST_TEST((listed_blocks(5, 16420, pg::fork::main) == 1u));
  BOOST_TEST(std::ranges::any_of(manifest.forks, [](const auto& each) {
    return each.relation == pg::relation_fork{16500, 5, 16501, pg::fork::main} && each.blocks == 1;
  }));
  for (const auto& each : manifest.forks) BOOST_TEST((each.relation.fork != pg::fork::fsm));
}

BOOST_FIXTURE_TEST_CASE(an_unlogged_relation_is_in_the_archive, listed_fixture) {
  BOOST_TEST((listed.at("base/5/16390") == with_checksum(make_page(9), 0)));
  BOOST_TEST((listed.at("base/5/16390_init") == with_checksum(make_page(9), 0)));
  for (const auto& each : manifest.forks) BOOST_TEST(each.relation.relation != 16390u);
}

BOOST_AUTO_TEST_CASE(the_bundle_is_bounded) {
  std::vector<mapping::database_entry> databases{
      {pg::default_tablespace, 5}, {pg::default_tablespace, 4}, {pg::default_tablespace, 1}, {16500, 5}};
  for (pg::oid i = 0; i < 100; ++i) databases.push_back({pg::default_tablespace, 20000 + i});
  start_bundle bundle(databases);
  const auto takes = [&](pg::oid database, pg::oid relation, std::uint32_t blocks) {
    return bundle.take({{pg::default_tablespace, database, relation, pg::fork::main}, blocks});
  };
  BOOST_TEST(!takes(1, 1259, 1));
  BOOST_TEST(!takes(4, 1259, 1));
  BOOST_TEST(takes(5, 1259, 1));
  std::uint32_t taken = 1;
  for (pg::oid i = 0; i < 100; ++i)
    if (takes(20000 + i, 1249, 100)) taken += 100;
  BOOST_TEST(taken == start_bundle::blocks_max / 100 * 100 + 1);
  // What still has room is taken.
  BOOST_TEST(takes(20099, 1259, start_bundle::blocks_max - taken));
  BOOST_TEST(!takes(20099, 2679, 1));
}

BOOST_AUTO_TEST_SUITE_END()
