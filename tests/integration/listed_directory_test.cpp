#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "page_files/control_file.hpp"
#include "page_files/relation_files.hpp"
#include "pg/files/relation_manifest.hpp"
#include "storage/mapping/directory.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/timeline_pipeline.hpp"

using namespace strata;
using namespace strata::tests;
using storage::mapping::data_directory_kind;

namespace {

namespace fs = std::filesystem;

/// Paths below a directory, of all that is no directory.
std::vector<std::string> files_below(const fs::path& directory) {
  std::vector<std::string> found;
  for (const auto& each : fs::recursive_directory_iterator(directory))
    if (!each.is_directory()) found.push_back(fs::relative(each.path(), directory).string());
  std::ranges::sort(found);
  return found;
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  BOOST_REQUIRE_MESSAGE(file, path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What a filler does, all at once: every page from the store as a page service answers it.
void fill(const storage::timeline_store& store, const fs::path& directory, const page_files::sparse_files& listed) {
  for (const page_files::sparse_file& each : listed.files) {
    core::bytes content(std::size_t{each.file.pages} * pg::page_size);
    std::vector<storage::mapping::page_request> requests;
    for (std::uint32_t i = 0; i < each.file.pages; ++i)
      requests.push_back({each.file.relation,
                          each.file.segment * pg::blocks_per_relation_segment + i,
                          core::bytes_span(content).subspan(std::size_t{i} * pg::page_size, pg::page_size),
                          {}});
    storage::mapping::read_relation_pages(store, requests, listed.at, storage::read_mode::may_block);
    for (const auto& request : requests)
      BOOST_REQUIRE_MESSAGE(!request.failure, core::to_string(request.failure.value_or(core::error{})));
    std::fstream file(directory / each.file.path, std::ios::binary | std::ios::in | std::ios::out);
    file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    BOOST_REQUIRE_MESSAGE(file.flush(), each.file.path);
  }
}

/// Reads work again, or don't.
void set_readable(const fs::path& directory, const page_files::sparse_files& listed, bool readable) {
  for (const page_files::sparse_file& each : listed.files)
    fs::permissions(directory / each.file.path, readable ? fs::perms{0600} : fs::perms::none);
}

/// A cluster with what data directories have, and a timeline of it.
struct imported_source {
  explicit imported_source(const postgres_install& install)
      : source({.data_checksums = true,
                .config = {"wal_keep_size = 1GB", "autovacuum = off", "max_prepared_transactions = 5"},
                .install = install}) {
    source.start();
    source.execute("create role app login");
    source.execute("create database app");
    const fs::path place = source.work_directory() / "tablespace";
    fs::create_directory(place);
    if (const auto owner = postgres_account()) BOOST_REQUIRE(::lchown(place.c_str(), owner->user, owner->group) == 0);
    source.execute("create tablespace space location '" + place.string() + "'");
    for (const char* database : {"postgres", "app"}) {
      source.execute("create table t (i int primary key, v text)", database);
      source.execute("insert into t select i, md5(i::text) from generate_series(1, 20000) i", database);
    }
    source.execute("create unlogged table u (i int primary key)");
    source.execute("insert into u select generate_series(1, 1000)");
    const taken_backup backup = take_backup(source, source.work_directory() / "backup");
    source.execute("delete from t where i % 3 = 0", "app");
    source.execute("vacuum t", "app");
    source.execute("create table s (i int) tablespace space; insert into s select generate_series(1, 5000)");
    source.execute("create index on t using gin (to_tsvector('simple', v))");
    source.execute("create table empty (i int)");
    source.execute("begin; insert into t values (0, 'prepared'); prepare transaction 'later'");
    source.execute("insert into t values (-1, 'the last')");
    at = core::parse_lsn(source.value("select pg_current_wal_flush_lsn()")).value();
    sums = {sum("postgres"), sum("app")};
    source.stop();
    import_backup(home, backup);
    ingest_wal(home, source.data_directory() / "pg_wal", at);
  }
  std::string sum(const std::string& database) { return sum(source, database); }
  static std::string sum(postgres_cluster& of, const std::string& database) {
    return of.value("select count(*) || ' ' || sum(hashtext(v)::bigint) from t", database);
  }
  postgres_cluster source;
  timeline_home home;
  core::lsn at;
  std::vector<std::string> sums;
};

/// While it lives, every child of this process has the control file.
struct inherited {
  explicit inherited(const io::unique_fd& memory) {
    BOOST_REQUIRE(::dup2(memory.get(), page_files::control_file_descriptor) == page_files::control_file_descriptor);
  }
  ~inherited() { ::close(page_files::control_file_descriptor); }
};

}  // namespace

STRATA_CASE_FOR_MAJORS(integration_listed_directory, filled_it_is_the_full_archive_byte_by_byte, minors::newest) {
  imported_source from(install);
  const fs::path full = from.home.directory / "full";
  const fs::path listed = from.home.directory / "listed";
  export_to(from.home, from.at, full);
  export_to(from.home, from.at, listed, data_directory_kind::listed);
  const auto made = page_files::create_relation_files(listed.string());
  BOOST_TEST_REQUIRE(made.has_value(), (made ? "" : core::to_string(made.error())));
  BOOST_TEST((made->at == from.at));
  BOOST_TEST(made->files.size() > 500u);
  fill(*from.home.store, listed, *made);
  fs::rename(listed / pg::files::held_control_file_path, listed / "global/pg_control");
  std::vector<std::string> expected = files_below(full);
  const std::size_t maps = std::erase_if(expected, [](const std::string& path) { return path.ends_with("_fsm"); });
  BOOST_TEST(maps > 0u);
  BOOST_TEST(files_below(listed) == expected, boost::test_tools::per_element());
  for (const std::string& path : expected)
    BOOST_TEST((content_of(listed / path) == content_of(full / path)), path << " differs");
}

STRATA_CASE_FOR_MAJORS(integration_listed_directory, no_listed_file_is_read_before_the_first_query, minors::newest) {
  imported_source from(install);
  const fs::path data = from.home.directory / "data";
  export_to(from.home, from.at, data, data_directory_kind::listed);
  const auto made = page_files::create_relation_files(data.string());
  BOOST_TEST_REQUIRE(made.has_value(), (made ? "" : core::to_string(made.error())));
  std::ofstream(data / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n";
  const auto memory = page_files::hold_control_file(data.string());
  BOOST_TEST_REQUIRE(memory.has_value());
  const inherited here(*memory);
  const auto cluster = postgres_cluster::adopt(data, {"autovacuum = off"});
  set_readable(data, *made, false);
  cluster->start();
  for (const char* database : {"postgres", "app"}) {
    BOOST_TEST(cluster->value("select 1", database) == "1");
    // That a read of a listed file would have been noticed.
    BOOST_CHECK_EXCEPTION(imported_source::sum(*cluster, database), std::runtime_error, [](const auto& refused) {
      return std::string(refused.what()).find("Permission denied") != std::string::npos;
    });
  }
  cluster->stop();
  set_readable(data, *made, true);
  fill(*from.home.store, data, *made);
  cluster->start();
  BOOST_TEST(imported_source::sum(*cluster, "postgres") == from.sums[0]);
  BOOST_TEST(imported_source::sum(*cluster, "app") == from.sums[1]);
  BOOST_TEST(cluster->value("select count(*) from u") == "0");
  BOOST_TEST(cluster->value("select count(*) from s") == "5000");
  cluster->execute("insert into u values (1); insert into s values (1); insert into empty values (1)");
  cluster->execute("insert into t select i, 'more' from generate_series(100000, 110000) i", "app");
  cluster->execute("vacuum");
  cluster->execute("vacuum", "app");
  cluster->execute("commit prepared 'later'");
  cluster->execute("checkpoint");
  cluster->stop();
}
