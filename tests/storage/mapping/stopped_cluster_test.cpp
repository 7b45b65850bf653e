#include "storage/mapping/stopped_cluster.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <functional>

#include "pg/files/data_directory.hpp"
#include "pg/files/slru.hpp"
#include "pg/files/tar.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/gzip_stream.hpp"
#include "tests/storage/mapping/hand_made_backup.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

using namespace strata;
using namespace strata::tests;
using namespace strata::storage;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const core::bytes& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
}

/// The hand-made cluster as a server leaves it that was shut down.
struct stopped_server {
  stopped_server() {
    files.files.erase("backup_label");
    set_state(pg::files::database_state::shut_down);
  }
  void set_state(pg::files::database_state state) {
    core::bytes& control = files.files["global/pg_control"];
    auto fields = *pg::files::decode_control_file(control);
    fields.state = state;
    control = *pg::files::encode_control_file(fields, control);
  }
  [[nodiscard]] std::string directory() const {
    const fs::path data = place / "data";
    for (const auto& [name, content] : files.files) write(data / name, content);
    for (const auto& [name, content] : files.tablespace_files) write(place / "space" / name, content);
    fs::create_directories(data / "pg_tblspc");
    if (!fs::exists(data / "pg_tblspc/16500")) fs::create_directory_symlink(place / "space", data / "pg_tblspc/16500");
    return data;
  }
  /// With the tablespace as a directory, as an export has it.
  [[nodiscard]] core::bytes archive() const {
    auto all = files.files;
    for (const auto& [name, content] : files.tablespace_files) all["pg_tblspc/16500/" + name] = content;
    core::bytes made;
    pg::files::append_tar_header(made, {.name = "pg_tblspc/16500", .type = pg::files::tar_type::directory});
    core::append(made, hand_made_backup::archive_of(all));
    return made;
  }
  [[nodiscard]] std::string file(const core::bytes& content) const {
    write(place / "archive", content);
    return place / "archive";
  }

  hand_made_backup files;
  temp_dir place;
};

core::bytes packed(const core::bytes& content) {
  core::bytes to;
  mapping::gzip_stream().pack(content, true, to);
  return to;
}

struct catalog_row {
  pg::oid id = 0;
  std::string name;
  pg::transaction_id made_by = 42;
  pg::transaction_id deleted_by = 0;
  std::int32_t limit = -1;
};
/// A page of pg_database of 15, without hints.
core::bytes database_page(const std::vector<catalog_row>& rows) {
  constexpr std::size_t row_size = 24 + 84;
  core::bytes page = make_page(0);
  std::size_t upper = page.size();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    upper -= row_size + 4;
    std::uint8_t* row = page.data() + upper;
    core::store_le(row, rows[i].made_by);
    core::store_le(row + 4, rows[i].deleted_by);
    core::store_le(row + 20, static_cast<std::uint16_t>(rows[i].deleted_by == 0 ? 0x0800 : 0));
    row[22] = 24;
    core::store_le(row + 24, rows[i].id);
    std::copy(rows[i].name.begin(), rows[i].name.end(), row + 28);
    core::store_le(row + 24 + 80, rows[i].limit);
    core::store_le(page.data() + 24 + 4 * i, static_cast<std::uint32_t>(upper | 1u << 15 | row_size << 17));
  }
  core::store_le(page.data() + 12, static_cast<std::uint16_t>(24 + 4 * rows.size()));
  core::store_le(page.data() + 14, static_cast<std::uint16_t>(upper));
  return page;
}

void check_refused(const std::string& path, core::errc code, const std::string& why) {
  const auto found = mapping::inspect_stopped_cluster(path);
  BOOST_REQUIRE_MESSAGE(!found, path << " was accepted: " << why);
  BOOST_TEST(found.error().code == code, found.error().detail);
  BOOST_TEST(found.error().detail.find(why) != std::string::npos, found.error().detail);
}

void check_imported(const std::string& path) {
  timeline_home home;
  const auto found = mapping::inspect_stopped_cluster(path);
  BOOST_REQUIRE_MESSAGE(found, (found ? "" : found.error().detail));
  std::uint64_t read = 0;
  const auto imported = mapping::import_stopped_cluster(
      home.store, *found, {.system_id = 99, .progress = [&](std::uint64_t now) { read = now; }});
  BOOST_REQUIRE_MESSAGE(imported, (imported ? "" : imported.error().detail));
  BOOST_TEST(read > 3 * pg::page_size);
  const core::lsn at = home.store->last_record_lsn();
  BOOST_TEST((at == core::lsn(pg::default_wal_segment_size)));
  BOOST_TEST((home.store->record().readable_from == at));
  BOOST_TEST((home.store->record().state == timeline_state::active));
  BOOST_TEST(mapping::tablespaces(*home.store, at).value() == std::vector<pg::oid>{16500});
  const pg::relation_fork in_space{16500, 5, 16501, pg::fork::main};
  BOOST_TEST(mapping::relation_size(*home.store, in_space, at, read_mode::may_block)->value() == 1u);
  const auto control = home.store->read_value(control_file_key(), at, read_mode::may_block);
  BOOST_TEST(pg::files::decode_control_file(**control)->system_id == 99u);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_mapping_stopped_cluster)

BOOST_AUTO_TEST_CASE(a_directory_and_its_archives_bring_the_same) {
  const stopped_server server;
  check_imported(server.directory());
  check_imported(server.file(server.archive()));
  check_imported(server.file(packed(server.archive())));
}

BOOST_AUTO_TEST_CASE(a_server_that_was_not_shut_down_is_refused) {
  using enum pg::files::database_state;
  stopped_server server;
  for (const auto state : {in_production, shutting_down}) {
    server.set_state(state);
    check_refused(server.directory(), core::errc::conflict, "pg_ctl stop");
    check_refused(server.file(server.archive()), core::errc::conflict, "pg_ctl stop");
  }
  server.set_state(shut_down_in_recovery);
  check_refused(server.directory(), core::errc::conflict, "standby");
  server.set_state(in_crash_recovery);
  check_refused(server.directory(), core::errc::conflict, "recovery");
  server.set_state(shut_down);
  const std::string data = server.directory();
  std::ofstream(data + "/postmaster.pid") << ::getpid() << "\n" << data << "\n";
  check_refused(data, core::errc::conflict, "process " + std::to_string(::getpid()));
  std::ofstream(data + "/postmaster.pid") << "not a number\n";
  BOOST_TEST(mapping::inspect_stopped_cluster(data).has_value());
  server.files.files["backup_label"] = bytes_of("LABEL: x\n");
  check_refused(server.file(server.archive()), core::errc::conflict, "base backup");
}

BOOST_AUTO_TEST_CASE(damage_and_strangers_are_refused) {
  stopped_server server;
  check_refused(server.place / "nowhere", core::errc::not_found, "no directory or archive");
  check_refused(server.place.path(), core::errc::invalid_argument, "no data directory");
  check_refused(server.file(bytes_of("a text, and no archive of anything, whatever its size may be ...")),
                core::errc::corrupt, "too early");
  core::bytes archive = server.archive();
  archive.resize(archive.size() / 2 + 100);
  check_refused(server.file(archive), core::errc::corrupt, "too early");
  core::bytes packed_archive = packed(server.archive());
  packed_archive.resize(packed_archive.size() / 2);
  check_refused(server.file(packed_archive), core::errc::corrupt, "too early");
  check_refused(server.file({0x28, 0xB5, 0x2F, 0xFD, 0, 0}), core::errc::unsupported, "zstd -d");
  std::map<std::string, core::bytes> below;
  for (const auto& [name, content] : server.files.files) below["main/" + name] = content;
  check_refused(server.file(hand_made_backup::archive_of(below)), core::errc::invalid_argument, "is in main/");
  core::bytes linked;
  pg::files::append_tar_header(linked, {.name = "pg_tblspc/16500", .type = pg::files::tar_type::symlink});
  core::append(linked, server.archive());
  check_refused(server.file(linked), core::errc::unsupported, "tablespace 16500");
  server.files.files["global/pg_control"][100] ^= 1;
  check_refused(server.directory(), core::errc::corrupt, "checksum");
}

BOOST_AUTO_TEST_CASE(a_page_with_a_wrong_checksum_ends_an_import) {
  const stopped_server server;
  timeline_home home;
  timeline_record record = home.record;
  record.data_checksums = true;
  home.reopen(record);
  const auto found = mapping::inspect_stopped_cluster(server.directory());
  BOOST_REQUIRE(found);
  const auto imported = mapping::import_stopped_cluster(home.store, *found);
  BOOST_REQUIRE(!imported);
  BOOST_TEST(imported.error().code == core::errc::corrupt);
  BOOST_TEST(imported.error().detail.find("wrong checksum") != std::string::npos, imported.error().detail);
}

BOOST_AUTO_TEST_CASE(files_that_postgres_could_not_start_from_end_an_import) {
  const auto check = [](const std::string& why, const std::function<void(stopped_server&)>& damage) {
    stopped_server server;
    damage(server);
    const auto found = mapping::inspect_stopped_cluster(server.directory());
    BOOST_REQUIRE(found);
    timeline_home home;
    const auto imported = mapping::import_stopped_cluster(home.store, *found);
    BOOST_REQUIRE_MESSAGE(!imported, "was imported: " << why);
    BOOST_TEST(imported.error().code == core::errc::corrupt);
    BOOST_TEST(imported.error().detail.find(why) != std::string::npos, imported.error().detail);
  };
  const auto cut = [](const char* name, std::size_t by) {
    return [=](stopped_server& of) { of.files.files[name].resize(of.files.files[name].size() - by); };
  };
  const auto without = [](const char* name) { return [=](stopped_server& of) { of.files.files.erase(name); }; };
  check("ends in the middle of a page", cut("base/5/16384", 1));
  check("ends in the middle of a page", cut("base/5/16384_vm", 4096));
  check("ends in the middle of a page", cut("pg_xact/0000", 4096));
  check("pg_filenode.map has 511 bytes", cut("base/5/pg_filenode.map", 1));
  check("wrong checksum", [](stopped_server& of) { of.files.files["base/5/pg_filenode.map"][12] ^= 1; });
  check("pg_filenode.map of database 5 is missing", without("base/5/pg_filenode.map"));
  check("file 16384 of database 5 is missing, which has catalog 1259", without("base/5/16384"));
  check("file 1262 of database 0 is missing", without("global/1262"));
  check("the directory of database shop is missing: 16999", [](stopped_server& of) {
    of.files.files["global/1262"] = database_page({{16999, "shop"}});
  });
  check("read pg_database", [](stopped_server& of) {
    core::store_le<std::uint32_t>(of.files.files["global/1262"].data() + 24, 8000 | 1u << 15 | 30u << 17);
    core::store_le<std::uint16_t>(of.files.files["global/1262"].data() + 12, 28);
  });
}

BOOST_AUTO_TEST_CASE(rows_of_databases_that_are_gone_miss_no_directory) {
  constexpr pg::transaction_id aborted = 40;
  constexpr pg::transaction_id forgotten = 40'000;  // its page of pg_xact is not there
  stopped_server server;
  pg::files::set_clog_status(server.files.files["pg_xact/0000"], aborted, pg::files::clog_status::aborted);
  server.files.files["global/1262"] = database_page({{.id = 5, .name = "there", .deleted_by = aborted},
                                                     {.id = 900, .name = "dropped", .deleted_by = 41},
                                                     {.id = 901, .name = "never made", .made_by = aborted},
                                                     {.id = 902, .name = "in doubt", .made_by = forgotten},
                                                     {.id = 903, .name = "half dropped", .limit = -2}});
  check_imported(server.directory());
  server.files.files["global/1262"] = database_page({{.id = 904, .name = "kept", .deleted_by = aborted}});
  const auto found = mapping::inspect_stopped_cluster(server.file(server.archive()));
  BOOST_REQUIRE(found);
  timeline_home home;
  const auto imported = mapping::import_stopped_cluster(home.store, *found);
  BOOST_REQUIRE(!imported);
  BOOST_TEST(imported.error().detail.find("database kept is missing") != std::string::npos, imported.error().detail);
}

BOOST_AUTO_TEST_CASE(a_link_in_the_place_of_a_relation_ends_an_import) {
  const stopped_server server;
  core::bytes linked;
  pg::files::append_tar_header(linked, {.name = "base/5/16499", .type = pg::files::tar_type::symlink});
  core::append(linked, server.archive());
  const auto found = mapping::inspect_stopped_cluster(server.file(linked));
  BOOST_REQUIRE(found);
  timeline_home home;
  BOOST_TEST(mapping::import_stopped_cluster(home.store, *found).error().code == core::errc::unsupported);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_twice_in_an_archive_ends_an_import) {
  const stopped_server server;
  core::bytes twice = hand_made_backup::archive_of({{"base/5/16384", core::bytes(pg::page_size)}});
  twice.resize(pg::page_size + 512);  // without the end
  core::append(twice, server.archive());
  const auto found = mapping::inspect_stopped_cluster(server.file(twice));
  BOOST_REQUIRE_MESSAGE(found, (found ? "" : found.error().detail));
  timeline_home home;
  const auto imported = mapping::import_stopped_cluster(home.store, *found);
  BOOST_REQUIRE(!imported);
  BOOST_TEST(imported.error().detail.find("is there twice") != std::string::npos, imported.error().detail);
}

BOOST_AUTO_TEST_CASE(data_that_change_while_they_are_read_and_a_cancelled_import_bring_nothing) {
  stopped_server server;
  const std::string data = server.directory();
  const auto found = mapping::inspect_stopped_cluster(data);
  BOOST_REQUIRE(found);
  timeline_home home;
  const auto cancelled = mapping::import_stopped_cluster(home.store, *found, {.cancelled = [] { return true; }});
  BOOST_REQUIRE(!cancelled);
  BOOST_TEST(cancelled.error().code == core::errc::unavailable);
  // As a server does that is started on them.
  timeline_home other;
  const auto changed =
      mapping::import_stopped_cluster(other.store, *found, {.progress = [&](std::uint64_t) {
                                        server.set_state(pg::files::database_state::in_production);
                                        write(data + "/global/pg_control", server.files.files["global/pg_control"]);
                                      }});
  BOOST_REQUIRE(!changed);
  BOOST_TEST(changed.error().code == core::errc::conflict, changed.error().detail);
  BOOST_TEST((other.store->record().state == timeline_state::importing));
}

BOOST_AUTO_TEST_SUITE_END()
