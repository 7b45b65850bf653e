#include "host/registry.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::host {
namespace {

namespace fs = std::filesystem;

struct with_registry {
  [[nodiscard]] compute_record make(const std::string& name) const {
    compute_record record;
    record.name = name;
    record.tenant = "shop";
    record.branch = "main";
    record.tenant_id = core::make_id<core::tenant_id>();
    record.timeline_id = core::make_id<core::timeline_id>();
    record.at = core::lsn(0x3B21F08);
    record.pg_major = 15;
    record.home = computes.directory_of(name);
    record.data_directory = record.home + "/data";
    record.socket_directory = record.home + "/socket";
    record.log_file = record.home + "/postgres.log";
    record.port = 20001;
    record.user = "o'brien";
    record.database = "my shop";
    record.started = core::wall_time(std::chrono::microseconds(1700000000123456));
    return record;
  }
  void save(const compute_record& record) const {
    BOOST_TEST_REQUIRE(computes.claim(record.name));
    BOOST_TEST_REQUIRE(computes.save(record));
    fs::create_directories(record.data_directory);
    std::ofstream(record.data_directory + "/PG_VERSION") << "15\n";
  }
  tests::temp_dir directory;
  registry computes{directory.path().string()};
};

BOOST_FIXTURE_TEST_SUITE(host_registry, with_registry)

BOOST_AUTO_TEST_CASE(a_new_directory_has_no_computes) {
  const auto all = computes.list();
  BOOST_TEST_REQUIRE(all);
  BOOST_TEST(all->computes.empty());
  BOOST_TEST(all->damaged.empty());
  BOOST_TEST(computes.find("dev").error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_CASE(what_was_saved_is_found_again) {
  const compute_record made = make("dev");
  BOOST_TEST_REQUIRE(computes.claim("dev"));
  BOOST_TEST_REQUIRE(computes.save(made));
  const auto found = computes.find("dev");
  BOOST_TEST_REQUIRE(found);
  BOOST_TEST(found->branch == "main");
  BOOST_TEST((found->tenant_id == made.tenant_id));
  BOOST_TEST((found->timeline_id == made.timeline_id));
  BOOST_TEST(found->at.value == made.at.value);
  BOOST_TEST(found->port == 20001);
  BOOST_TEST(found->user == "o'brien");
  BOOST_TEST(found->database == "my shop");
  BOOST_TEST((found->started == made.started));
  BOOST_TEST(found->mode == compute_mode::copy);
  BOOST_TEST(found->settings.empty());
  BOOST_TEST(found->home == made.home);
  BOOST_TEST(found->socket_directory == made.socket_directory);
  BOOST_TEST(!found->armed);
  BOOST_TEST(found->ready);
}

BOOST_AUTO_TEST_CASE(the_mode_and_the_settings_of_each_life_are_kept) {
  compute_record made = make("dev");
  made.mode = compute_mode::branch;
  made.settings = {"work_mem = 7MB", "search_path = '\"a\", b'"};
  BOOST_TEST_REQUIRE(computes.claim("dev"));
  BOOST_TEST_REQUIRE(computes.save(made));
  const auto found = computes.find("dev");
  BOOST_TEST_REQUIRE(found);
  BOOST_TEST(found->mode == compute_mode::branch);
  BOOST_TEST((found->settings == made.settings));
}

BOOST_AUTO_TEST_CASE(the_way_of_the_pages_is_kept_and_a_timeout_of_nothing_is_damage) {
  compute_record made = make("dev");
  made.pages = page_mode::fuse;
  made.pages_named = true;
  made.fill = false;
  made.page_timeout = std::chrono::milliseconds(1500);
  save(made);
  const auto found = computes.find("dev");
  BOOST_TEST_REQUIRE(found);
  BOOST_TEST((found->pages == page_mode::fuse));
  BOOST_TEST(found->pages_named);
  BOOST_TEST(!found->fill);
  BOOST_TEST((found->page_timeout == made.page_timeout));
  made.page_timeout = std::chrono::milliseconds(0);
  BOOST_TEST_REQUIRE(computes.save(made));
  BOOST_TEST(computes.find("dev").error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(what_a_file_system_has_of_its_own_is_no_compute) {
  save(make("dev"));
  std::filesystem::create_directory(std::filesystem::path(computes.directory_of("dev")).parent_path() / "lost+found");
  BOOST_TEST(computes.list()->computes.size() == 1u);
  BOOST_TEST(computes.list()->damaged.empty());
  BOOST_TEST((*computes.names() == std::vector<std::string>{"dev"}));
}

BOOST_AUTO_TEST_CASE(a_name_can_be_claimed_once_until_it_is_removed) {
  {
    const auto lock = computes.claim("dev");
    BOOST_TEST_REQUIRE(lock);
    BOOST_TEST(computes.claim("dev").error().code == core::errc::conflict);
    // While a command is at work on it, it is neither a compute nor damaged.
    BOOST_TEST(computes.list()->computes.empty());
    BOOST_TEST(computes.list()->damaged.empty());
    BOOST_TEST(start_lock::take(computes.directory_of("dev")).error().code == core::errc::conflict);
    BOOST_TEST(start_lock::is_held(computes.directory_of("dev")));
  }
  // What it has left is told.
  BOOST_TEST(!start_lock::is_held(computes.directory_of("dev")));
  BOOST_TEST_REQUIRE(computes.list()->damaged.size() == 1u);
  BOOST_TEST(computes.list()->damaged.front().name == "dev");
  BOOST_TEST_REQUIRE(computes.remove(computes.remains_of("dev")));
  BOOST_TEST(computes.claim("dev"));
}

BOOST_AUTO_TEST_CASE(a_name_that_is_not_there_is_told_with_those_that_are) {
  for (const char* name : {"b", "a"}) save(make(name));
  const auto missing = computes.find("c");
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST(missing.error().detail.find("a, b") != std::string::npos, missing.error().detail);
}

BOOST_AUTO_TEST_CASE(a_damaged_record_is_named_and_harms_no_other) {
  for (const char* name : {"a", "dev", "z"}) save(make(name));
  const std::string path = computes.directory_of("dev") + "/compute.json";
  std::ifstream file(path);
  std::stringstream whole;
  whole << file.rdbuf();
  std::vector<std::string> texts{"", "{", "{}", "[]", R"({"name": 5})", std::string(4096, '\0')};
  // Paths by which others would be stopped or removed.
  const std::string home = computes.directory_of("dev");
  for (const char* other : {"/", "/var/tmp", "/var/tmp/strata-", "/var/tmp/strata-x/../y", "/home/me"}) {
    std::string text = whole.str();
    for (std::size_t at = text.find('"' + home); at != std::string::npos; at = text.find('"' + home, at))
      if (text.compare(at - 13, 13, "\"directory\": ") == 0)
        ++at;
      else
        text.replace(at + 1, home.size(), other);
    texts.push_back(text);
  }
  std::string renamed = whole.str();
  renamed.replace(renamed.find("\"name\": \"dev\""), 13, "\"name\": \"a\"");
  texts.push_back(renamed);
  for (const auto& text : texts) {
    std::ofstream(path, std::ios::trunc) << text;
    const auto all = computes.list();
    BOOST_TEST_REQUIRE(all.has_value(), text);
    BOOST_TEST(all->computes.size() == 2u);
    BOOST_TEST_REQUIRE(all->damaged.size() == 1u, text);
    BOOST_TEST(all->damaged.front().name == "dev");
    BOOST_TEST((all->damaged.front().why.code == core::errc::corrupt), text);
    BOOST_TEST(all->damaged.front().why.detail.find(path) != std::string::npos, all->damaged.front().why.detail);
    BOOST_TEST(computes.find("dev").error().code == core::errc::corrupt);
    BOOST_TEST(computes.find("a"));
  }
  // Any byte of it, flipped in any way, is the record of this compute or none.
  const std::string good = whole.str();
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string text = good;
    text[at] = static_cast<char>(text[at] ^ (1 << (at % 8)));
    std::ofstream(path, std::ios::trunc) << text;
    const auto all = computes.list();
    BOOST_TEST_REQUIRE(all);
    BOOST_TEST(all->computes.size() + all->damaged.size() == 3u);
    for (const auto& each : all->computes)
      if (each.name == "dev") BOOST_TEST((each.home == home || each.home.starts_with(elsewhere_prefix)), text);
  }
}

BOOST_AUTO_TEST_CASE(a_server_directory_that_was_moved_takes_its_computes_along) {
  auto record = make("dev");
  record.settings = {"work_mem = 7MB"};
  save(record);
  const fs::path moved = directory.path().string() + "-moved";
  fs::rename(directory.path(), moved);
  const registry there(moved.string());
  const auto found = there.find("dev");
  fs::rename(moved, directory.path());
  BOOST_TEST_REQUIRE(found);
  BOOST_TEST(found->home == there.directory_of("dev"));
  BOOST_TEST(found->data_directory == there.directory_of("dev") + "/data");
  BOOST_TEST(found->socket_directory == there.directory_of("dev") + "/socket");
  BOOST_TEST(found->log_file == there.directory_of("dev") + "/postgres.log");
}

BOOST_AUTO_TEST_CASE(a_server_directory_that_was_copied_leaves_the_originals_computes_alone) {
  save(make("near"));
  auto far = make("far");
  std::string elsewhere = std::string(elsewhere_prefix) + "XXXXXX";
  BOOST_TEST_REQUIRE(::mkdtemp(elsewhere.data()) != nullptr);
  far.home = elsewhere;
  far.data_directory = elsewhere + "/data";
  far.log_file = elsewhere + "/postgres.log";
  far.socket_directory = elsewhere + "/socket";
  save(far);
  const tests::temp_dir copied;
  fs::copy(directory.path() / "computes", copied / "computes", fs::copy_options::recursive);
  const registry copy(copied.path().string());
  const auto in_copy = copy.list();
  for (const auto& each : in_copy->computes) {
    BOOST_TEST(each.home == copy.directory_of(each.name));
    BOOST_TEST(copy.remove(each));
  }
  BOOST_TEST(copy.list()->computes.empty());
  const auto in_original = computes.list();
  BOOST_TEST(in_original->computes.size() == 2u);
  for (const auto& each : in_original->computes) BOOST_TEST(fs::exists(each.data_directory + "/PG_VERSION"));
  // Nor when the original was moved: it keeps what it has elsewhere.
  const std::string moved = directory.path().string() + "-moved";
  fs::copy(directory.path() / "computes", copied / "computes", fs::copy_options::recursive);
  fs::rename(directory.path(), moved);
  BOOST_TEST(copy.find("far")->home == copy.directory_of("far"));
  BOOST_TEST(copy.remove(*copy.find("far")));
  BOOST_TEST(fs::exists(far.data_directory + "/PG_VERSION"));
  const registry there(moved);
  BOOST_TEST(there.find("far")->home == elsewhere);
  BOOST_TEST(there.save(*there.find("far")));
  BOOST_TEST(there.remove(*there.find("far")));
  BOOST_TEST(!fs::exists(elsewhere));
  fs::rename(moved, directory.path());
}

BOOST_AUTO_TEST_CASE(a_socket_elsewhere_is_the_moved_originals_too) {
  auto record = make("dev");
  std::string elsewhere = std::string(elsewhere_prefix) + "XXXXXX";
  BOOST_TEST_REQUIRE(::mkdtemp(elsewhere.data()) != nullptr);
  record.socket_directory = elsewhere;
  save(record);
  const tests::temp_dir copied;
  const std::string moved = directory.path().string() + "-moved";
  fs::copy(directory.path() / "computes", copied / "computes", fs::copy_options::recursive);
  fs::rename(directory.path(), moved);
  BOOST_TEST(registry(copied.path().string()).find("dev")->socket_directory == "");
  {
    // A mark that a loss of power emptied says nothing: who has the record has the directory.
    const std::string owner = elsewhere + "/owner";
    std::ofstream(owner, std::ios::trunc).close();
    BOOST_TEST(registry(moved).find("dev")->socket_directory == elsewhere);
    BOOST_TEST_REQUIRE(registry(moved).save(*registry(moved).find("dev")));
    BOOST_TEST(registry(copied.path().string()).find("dev")->socket_directory == "");
  }
  BOOST_TEST(registry(moved).find("dev")->socket_directory == elsewhere);
  fs::rename(moved, directory.path());
  fs::remove_all(elsewhere);
}

BOOST_AUTO_TEST_CASE(without_a_record_its_directories_elsewhere_are_found) {
  auto record = make("dev");
  std::string home = std::string(elsewhere_prefix) + "XXXXXX";
  std::string socket = home;
  BOOST_TEST_REQUIRE(::mkdtemp(home.data()) != nullptr);
  BOOST_TEST_REQUIRE(::mkdtemp(socket.data()) != nullptr);
  record.home = home;
  record.data_directory = home + "/data";
  record.log_file = home + "/postgres.log";
  record.socket_directory = socket;
  save(record);
  save(make("other"));
  fs::remove(fs::path(computes.directory_of("dev")) / "compute.json");
  BOOST_TEST(computes.load("dev").error().code == core::errc::not_found);
  BOOST_TEST(computes.load("other"));
  BOOST_TEST((computes.names().value() == std::vector<std::string>{"dev", "other"}));
  const auto remains = computes.remains_of("dev");
  BOOST_TEST(remains.home == home);
  BOOST_TEST(remains.data_directory == record.data_directory);
  BOOST_TEST(remains.log_file == record.log_file);
  BOOST_TEST(remains.socket_directory == socket);
  BOOST_TEST(computes.remains_of("other").home == computes.directory_of("other"));
  BOOST_TEST(computes.remove(remains));
  for (const std::string& each : {home, socket, computes.directory_of("dev")}) BOOST_TEST(!fs::exists(each), each);
}

BOOST_AUTO_TEST_CASE(records_of_before_name_no_directory_and_are_understood) {
  save(make("dev"));
  const std::string path = computes.directory_of("dev") + "/compute.json";
  std::ifstream file(path);
  std::string text;
  for (std::string line; std::getline(file, line);)
    if (line.find("\"directory\"") == std::string::npos && line.find("\"ready\"") == std::string::npos &&
        line.find("\"as_of_us\"") == std::string::npos)
      text += line + "\n";
  std::ofstream(path, std::ios::trunc) << text;
  BOOST_TEST(computes.find("dev"));
  BOOST_TEST((computes.find("dev")->as_of == computes.find("dev")->started));
  const tests::temp_dir copied;
  fs::copy(directory.path() / "computes", copied / "computes", fs::copy_options::recursive);
  const registry copy(copied.path().string());
  BOOST_TEST(copy.find("dev")->home == copy.directory_of("dev"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
