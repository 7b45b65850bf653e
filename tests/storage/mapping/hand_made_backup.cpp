#include "tests/storage/mapping/hand_made_backup.hpp"

#include <boost/test/unit_test.hpp>

#include "pg/crc32c.hpp"
#include "pg/files/replication_origins.hpp"
#include "pg/files/tar.hpp"
#include "pg/files/two_phase.hpp"

namespace strata::tests {

namespace {

core::bytes pages(std::initializer_list<std::uint8_t> fills) {
  core::bytes file;
  for (const std::uint8_t fill : fills) core::append(file, make_page(fill));
  return file;
}

core::bytes page_with_bounds(std::uint16_t upper, std::uint16_t special) {
  core::bytes page = make_page(13);
  core::store_le(page.data() + 14, upper);
  core::store_le(page.data() + 16, special);
  return page;
}

/// What PREPARE records: its header says how long it is.
core::bytes two_phase_state() {
  core::bytes state(68);
  core::store_le(state.data(), std::uint32_t{0x57F94534});
  core::store_le(state.data() + 4, static_cast<std::uint32_t>(state.size() + 4));
  core::store_le(state.data() + 8, pg::transaction_id{0x300});
  return state;
}

}  // namespace

core::bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

core::bytes relation_map_of(const std::map<pg::oid, pg::oid>& files) {
  core::bytes content;
  core::append_le<std::uint32_t>(content, 0x592717);
  core::append_le<std::uint32_t>(content, static_cast<std::uint32_t>(files.size()));
  for (const auto& [relation, file] : files)
    for (const pg::oid each : {relation, file}) core::append_le<std::uint32_t>(content, each);
  content.resize(504);
  core::append_le<std::uint32_t>(content, pg::crc32c(content));
  content.resize(512);
  return content;
}

hand_made_backup::hand_made_backup() {
  pg::files::checkpoint counters = mapping_fixture::first_counters();
  counters.redo = start;
  files["backup_label"] = bytes_of(
      "START WAL LOCATION: 0/1000028 (file 000000010000000000000001)\nCHECKPOINT LOCATION: 0/1000060\n"
      "BACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: 2026-11-22 10:00:00 UTC\nLABEL: strata\n"
      "START TIMELINE: 1\n");
  files["PG_VERSION"] = bytes_of("15\n");
  files["postgresql.conf"] = bytes_of("port = 1\n");
  files["global/pg_control"] = make_control_file(counters, 1);
  files["global/pg_filenode.map"] = relation_map_of({{1262, 1262}});
  files["global/1262"] = pages({1});
  files["base/5/PG_VERSION"] = bytes_of("15\n");
  files["base/5/pg_filenode.map"] = relation_map_of({{1259, 16384}});
  files["base/5/16384"] = pages({2, 3, 4});
  files["base/5/16384_vm"] = pages({0xFF});
  files["base/5/16384_fsm"] = pages({5, 6, 7});
  files["base/5/16390"] = pages({8, 8});
  files["base/5/16390_init"] = pages({9});
  files["base/5/16400"] = {};
  files["base/5/16400_fsm"] = pages({5});
  files["base/5/16420"] = page_with_bounds(8176, 8176);  // of an index
  files["base/5/16420_fsm"] = pages({12});
  files["base/5/16421"] = page_with_bounds(40, 8192);  // full
  files["base/5/16421_fsm"] = pages({5});
  files["base/5/16422"] = page_with_bounds(8176, 8176);
  files["base/5/t3_16410"] = pages({10});
  files["base/pgsql_tmp/pgsql_tmp1.0"] = core::bytes(100, 1);
  files["pg_xact/0000"] = core::bytes(pg::page_size, 0x55);
  files["pg_multixact/members/0000"] = core::bytes(pg::page_size);
  files["pg_multixact/offsets/0000"] = core::bytes(2 * pg::page_size, 0x11);
  files["pg_twophase/00000300"] = pg::files::encode_two_phase_file(two_phase_state());
  files["pg_logical/replorigin_checkpoint"] = pg::files::encode_replication_origins({{7, core::lsn(0x7000)}});
  files["pg_wal/000000010000000000000001"] = core::bytes(1000, 1);
  files["pg_stat_tmp/global.stat"] = core::bytes(100, 1);
  tablespace_files["PG_15_202209061/5/16501"] = pages({11});
}

core::bytes hand_made_backup::archive_of(const std::map<std::string, core::bytes>& files) {
  core::bytes archive;
  for (const auto& [name, content] : files) pg::files::append_tar_file(archive, name, content);
  pg::files::append_tar_end(archive);
  return archive;
}

core::result<storage::mapping::imported_cluster> import_into(timeline_home& home, const hand_made_backup& backup,
                                                             std::size_t piece) {
  storage::mapping::base_backup_import import(home.store, {.start = backup.start});
  const auto add = [&](pg::oid tablespace, const core::bytes& archive) -> core::result<void> {
    STRATA_TRY(import.begin_archive(tablespace));
    for (core::bytes_view left = archive; !left.empty(); left = left.subspan(std::min(piece, left.size())))
      STRATA_TRY(import.add(left.first(std::min(piece, left.size()))));
    return {};
  };
  STRATA_TRY(add(16500, hand_made_backup::archive_of(backup.tablespace_files)));
  STRATA_TRY(add(0, hand_made_backup::archive_of(backup.files)));
  return import.finish(backup.end);
}

std::map<std::string, core::bytes> unpack(const core::bytes& archive) {
  using kind = enum pg::files::tar_event::kind;
  pg::files::tar_reader reader;
  reader.feed(archive);
  std::map<std::string, core::bytes> found;
  while (true) {
    const auto event = reader.next();
    BOOST_REQUIRE(event);
    if (!*event || (*event)->kind == kind::archive_end) break;
    if ((*event)->kind == kind::entry) found[(*event)->entry->name];
    if ((*event)->kind == kind::data) core::append(found[(*event)->entry->name], (*event)->data);
  }
  BOOST_TEST(reader.complete());
  return found;
}

}  // namespace strata::tests
