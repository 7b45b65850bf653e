#include "host/data_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "pg/files/tar.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::host {
namespace {

namespace fs = std::filesystem;
using pg::files::append_tar_end;
using pg::files::append_tar_file;
using pg::files::append_tar_header;
using pg::files::tar_type;

core::bytes_view bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void add_directory(core::bytes& to, const std::string& name) {
  append_tar_header(to, {.name = name, .type = tar_type::directory, .mode = 0777});
}

core::bytes good_archive() {
  core::bytes archive;
  append_tar_file(archive, "PG_VERSION", bytes_of("15\n"));
  add_directory(archive, "global");
  append_tar_file(archive, "global/pg_control", bytes_of("control"));
  add_directory(archive, "pg_tblspc");
  append_tar_file(archive, "pg_tblspc/16400/PG_15_202209061/5/16390", bytes_of(std::string(20000, 'x')));
  append_tar_file(archive, "empty", {});
  append_tar_end(archive);
  return archive;
}

struct unpacking {
  core::result<void> unpack(const core::bytes& archive, std::size_t part_size) {
    auto target = data_directory_unpacker::open(home / "data");
    BOOST_TEST_REQUIRE(target);
    for (std::size_t at = 0; at < archive.size(); at += part_size)
      STRATA_TRY((*target)->feed(core::bytes_view(archive).subspan(at, std::min(part_size, archive.size() - at))));
    return (*target)->finish();
  }
  /// Everything that lies beside the target, to show that nothing was written there.
  [[nodiscard]] std::size_t entries_outside() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(home.path()), {})) - 1;
  }
  void check_refused(const core::bytes& archive) {
    const auto refused = unpack(archive, 4096);
    BOOST_TEST_REQUIRE(!refused.has_value());
    BOOST_TEST((refused.error().code == core::errc::corrupt), core::to_string(refused.error()));
    BOOST_TEST(entries_outside() == 0u);
    fs::remove_all(home / "data");
  }
  tests::temp_dir home;
};

BOOST_FIXTURE_TEST_SUITE(host_data_directory, unpacking)

BOOST_AUTO_TEST_CASE(an_archive_is_unpacked_however_it_is_cut) {
  for (const std::size_t part_size : {1u, 511u, 4096u, 1u << 20}) {
    const auto done = unpack(good_archive(), part_size);
    BOOST_TEST_REQUIRE(done.has_value(), (done.has_value() ? "" : done.error().detail));
    const fs::path data = home / "data";
    BOOST_TEST(text_of(data / "PG_VERSION") == "15\n");
    BOOST_TEST(text_of(data / "global/pg_control") == "control");
    BOOST_TEST(fs::file_size(data / "pg_tblspc/16400/PG_15_202209061/5/16390") == 20000u);
    BOOST_TEST(fs::file_size(data / "empty") == 0u);
    BOOST_TEST((fs::status(data / "global").permissions() == fs::perms(0700)));
    BOOST_TEST((fs::status(data / "PG_VERSION").permissions() == fs::perms(0600)));
    fs::remove_all(data);
  }
}

BOOST_AUTO_TEST_CASE(a_directory_that_exists_is_not_written_into) {
  fs::create_directory(home / "data");
  const auto refused = data_directory_unpacker::open(home / "data");
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().code == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(names_that_climb_out_are_refused) {
  for (const char* name : {"../outside", "/outside", "a/../../outside", ".."}) {
    core::bytes archive;
    append_tar_file(archive, name, bytes_of("evil"));
    append_tar_end(archive);
    check_refused(archive);
  }
}

BOOST_AUTO_TEST_CASE(links_are_refused_wherever_they_lead) {
  for (const auto& target : {(home / "outside").string(), std::string("global"), std::string("../outside")}) {
    core::bytes archive;
    append_tar_header(archive, {.name = "base", .type = tar_type::symlink, .link_target = target});
    append_tar_file(archive, "base/passwd", bytes_of("evil"));
    append_tar_end(archive);
    check_refused(archive);
  }
}

BOOST_AUTO_TEST_CASE(a_name_that_comes_twice_is_refused) {
  core::bytes twice;
  append_tar_file(twice, "a", bytes_of("1"));
  append_tar_file(twice, "a", bytes_of("2"));
  check_refused(twice);
  core::bytes below_a_file;
  append_tar_file(below_a_file, "a", bytes_of("1"));
  append_tar_file(below_a_file, "a/b", bytes_of("2"));
  check_refused(below_a_file);
  core::bytes over_a_directory;
  add_directory(over_a_directory, "a");
  append_tar_file(over_a_directory, "a", bytes_of("1"));
  check_refused(over_a_directory);
}

BOOST_AUTO_TEST_CASE(an_archive_that_ends_early_is_refused_wherever_it_ends) {
  const core::bytes whole = good_archive();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{100}, std::size_t{513}, std::size_t{1024}, whole.size() / 2}) {
    core::bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    check_refused(cut);
  }
}

BOOST_AUTO_TEST_CASE(an_archive_that_holds_its_control_file_back_is_a_data_directory) {
  core::bytes archive;
  append_tar_file(archive, "PG_VERSION", bytes_of("15\n"));
  append_tar_file(archive, "global/pg_control.held", bytes_of("control"));
  append_tar_end(archive);
  BOOST_TEST(unpack(archive, 512).has_value());
  BOOST_TEST(!fs::exists(home / "data/global/pg_control"));
}

BOOST_AUTO_TEST_CASE(an_archive_of_something_else_is_refused) {
  core::bytes archive;
  append_tar_file(archive, "holiday.jpg", bytes_of("jpeg"));
  append_tar_end(archive);
  check_refused(archive);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
