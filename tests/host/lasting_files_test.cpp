#include "host/lasting_files.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

using namespace host;
namespace fs = std::filesystem;

lasting_file file(const std::string& name, const std::string& content, bool proven = false) {
  return {.name = name, .content = content, .proven = proven};
}
const std::string auto_conf = "postgresql.auto.conf";

lasting_host here() { return {.armed = true, .writes = true, .data_directory = "/data", .has_library = {}}; }

bool has(const std::vector<std::string>& in, const std::string& line) {
  return std::ranges::find(in, line) != in.end();
}
bool tells(const lasting_start& of, const std::string& words) {
  return std::ranges::any_of(of.notes, [&](const auto& each) { return each.find(words) != std::string::npos; });
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

BOOST_AUTO_TEST_SUITE(host_lasting_files)

BOOST_AUTO_TEST_CASE(the_newest_settings_are_used_then_the_proven_ones_then_none) {
  const lasting_files from{
      .newest = {file(auto_conf, "work_mem = '-1'\n"), file("postgresql.conf", "a = 1\nb = 2\n", true)},
      .proven = {file(auto_conf, "work_mem = '8MB'\n", true), file("postgresql.conf", "a = 1\nb = 2\n", true)}};
  const auto newest = choose_lasting(from, settings_choice::newest, here());
  BOOST_TEST(newest.text.auto_conf == "work_mem = '-1'\n");
  BOOST_TEST(newest.conf_lines.size() == 2u);
  BOOST_REQUIRE(newest.unproven.size() == 1u);
  BOOST_TEST(newest.unproven.front().name == auto_conf);
  BOOST_TEST((choice_after(from, settings_choice::newest) == settings_choice::proven));
  const auto proven = choose_lasting(from, settings_choice::proven, here());
  BOOST_TEST(proven.text.auto_conf == "work_mem = '8MB'\n");
  BOOST_TEST(proven.unproven.empty());
  BOOST_TEST((choice_after(from, settings_choice::proven) == settings_choice::none));
  BOOST_TEST(choose_lasting(from, settings_choice::none, here()).text.auto_conf.empty());
  BOOST_TEST(!choice_after(from, settings_choice::none));
}

BOOST_AUTO_TEST_CASE(a_choice_that_would_be_the_same_is_not_tried) {
  BOOST_TEST(!choice_after({}, settings_choice::newest));
  const lasting_files good{.newest = {file(auto_conf, "a", true)}, .proven = {file(auto_conf, "a", true)}};
  BOOST_TEST((choice_after(good, settings_choice::newest) == settings_choice::none));
}

BOOST_AUTO_TEST_CASE(damaged_settings_are_told_and_replaced_by_proven_ones_only) {
  lasting_files from{.newest = {file(auto_conf, "")}, .proven = {}};
  from.newest.front().damage = "wrong checksum";
  const auto without = choose_lasting(from, settings_choice::newest, here());
  BOOST_TEST(without.text.auto_conf.empty());
  BOOST_TEST(tells(without, "damaged"));
  from.proven.push_back(file(auto_conf, "good = 1", true));
  const auto with = choose_lasting(from, settings_choice::newest, here());
  BOOST_TEST(with.text.auto_conf == "good = 1");
  BOOST_TEST(tells(with, "is used"));
  from.newest.push_back(file("pg_stat/pgstat.stat", ""));
  from.newest.back().damage = "it is missing";
  const auto statistics = choose_lasting(from, settings_choice::newest, here());
  BOOST_TEST(statistics.data_files.empty());
  BOOST_TEST(tells(statistics, "pg_stat/pgstat.stat"));
}

BOOST_AUTO_TEST_CASE(libraries_that_are_not_here_or_act_outwards_are_left_out) {
  const lasting_files from{.newest = {file(auto_conf,
                                           "shared_preload_libraries = 'pg_stat_statements, missing, pg_cron'\n"
                                           "session_preload_libraries = 'gone'\n")},
                           .proven = {}};
  auto on = here();
  on.armed = false;
  on.has_library = [](const std::string& name) { return name != "missing" && name != "gone"; };
  const auto start = choose_lasting(from, settings_choice::newest, on);
  BOOST_TEST(has(start.forced, "shared_preload_libraries=pg_stat_statements"));
  BOOST_TEST(has(start.forced, "session_preload_libraries="));
  BOOST_TEST(tells(start, "missing is not loaded: it is not installed here"));
  BOOST_TEST(tells(start, "pg_cron is not loaded"));
  // The user's text stays as it is: it may be right on another host.
  BOOST_TEST(start.text.auto_conf == from.newest.front().content);
  // What was typed for this start is not corrected.
  on.settings = {"shared_preload_libraries = 'missing'"};
  const lasting_files conf{.newest = {file("postgresql.conf", "shared_preload_libraries = 'gone'\n")}, .proven = {}};
  BOOST_TEST(choose_lasting(conf, settings_choice::newest, on).forced.empty());
}

BOOST_AUTO_TEST_CASE(other_files_are_not_included) {
  const lasting_files stored{.newest = {file("postgresql.conf", "jit = off\ninclude_if_exists='/etc/more.conf'\n"),
                                        file(auto_conf, "include 'x'\nwork_mem = '8MB'\n")},
                             .proven = {}};
  const auto start = choose_lasting(stored, settings_choice::newest, here());
  BOOST_TEST(start.conf_lines == std::vector<std::string>{"jit = off"}, boost::test_tools::per_element());
  BOOST_TEST(start.text.auto_conf == "work_mem = '8MB'\n");
  BOOST_TEST(tells(start, "/etc/more.conf"));
  BOOST_TEST(tells(start, "include 'x'"));
}

BOOST_AUTO_TEST_CASE(the_places_of_the_files_are_not_for_settings_to_say) {
  const lasting_files from{.newest = {file(auto_conf, "hba_file = '/tmp/mine'\nexternal_pid_file = '/tmp/pid'\n")},
                           .proven = {}};
  const auto start = choose_lasting(from, settings_choice::newest, here());
  BOOST_TEST(has(start.forced, "hba_file=/data/pg_hba.conf"));
  BOOST_TEST(has(start.forced, "external_pid_file="));
  BOOST_TEST(start.notes.size() == 2u);
}

BOOST_AUTO_TEST_CASE(only_a_writer_gets_statistics_and_prewarm_list) {
  const lasting_files from{.newest = {file("autoprewarm.blocks", "<<0>>\n"), file("pg_stat/pgstat.stat", "s")},
                           .proven = {}};
  BOOST_TEST(choose_lasting(from, settings_choice::newest, here()).data_files.size() == 2u);
  auto reader = here();
  reader.writes = false;
  BOOST_TEST(choose_lasting(from, settings_choice::newest, reader).data_files.empty());
}

BOOST_AUTO_TEST_CASE(the_lines_of_the_user_are_told_from_ours) {
  const temp_dir directory;
  const fs::path data = directory.path();
  lasting_start start;
  start.conf_lines = {"work_mem = 8MB"};
  write(data / "postgresql.conf", "# ours\nport = 1\nwork_mem = 8MB\nshared_buffers = '64MB'\n");
  write(data / "pg_hba.conf", "local all all trust\n");
  write(data / "pg_ident.conf", "");
  write(data / "postgresql.auto.conf", "");
  const auto ours = our_lines(data.string(), start);
  BOOST_REQUIRE(ours);
  const auto content = [&](const std::string& name) {
    const auto files = read_settings_files(data.string(), *ours);
    for (const auto& each : *files)
      if (each.name == name) return each.content;
    return std::string("missing");
  };
  BOOST_TEST(content("postgresql.conf") == "work_mem = 8MB\n");
  BOOST_TEST(content("pg_hba.conf").empty());
  write(data / "postgresql.conf", "# ours\nport = 1\nwork_mem = 8MB\n\nshared_buffers = '1GB'\n# a remark\n");
  write(data / "pg_hba.conf", "host all all 10.0.0.0/8 md5\nlocal all all trust\n");
  BOOST_TEST(content("postgresql.conf") == "work_mem = 8MB\nshared_buffers = '1GB'\n# a remark\n");
  BOOST_TEST(content("pg_hba.conf") == "host all all 10.0.0.0/8 md5\n");
}

BOOST_AUTO_TEST_CASE(the_lines_of_a_request_are_nobodys_and_are_replaced_by_the_next_ones) {
  const temp_dir data;
  for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf", "postgresql.auto.conf"})
    write(data / name, "");
  const postgres_options server{.data_directory = data.path().string()};
  const auto of_user = [&](const written_lines& ours) {
    const auto files = read_settings_files(data.path().string(), ours);
    for (const auto& each : *files)
      if (each.name == "postgresql.conf") return each.content;
    return std::string("missing");
  };
  for (const std::vector<std::string>& first :
       {std::vector<std::string>{}, {"work_mem = 7MB # The end of what was given."}}) {
    BOOST_TEST_REQUIRE(write_settings(server, first));
    const auto ours = our_lines(data.path().string(), {});
    BOOST_REQUIRE(ours);
    std::ofstream(data / "postgresql.conf", std::ios::app) << "random_page_cost = 2\n";
    BOOST_TEST_REQUIRE(replace_settings(server, {"work_mem = 9MB", "jit = off"}));
    const auto text = settings_text(server, {"work_mem = 9MB", "jit = off"});
    BOOST_TEST_REQUIRE(text);
    BOOST_TEST(text->find("7MB") == std::string::npos);
    BOOST_TEST(text->find("work_mem = 9MB\njit = off\n") != std::string::npos);
    BOOST_TEST(of_user(*ours) == "random_page_cost = 2\n");
  }
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_named) {
  const temp_dir data;
  const std::string most(256u << 10, '#');
  for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf"}) std::ofstream(data / name) << "\n";
  std::ofstream(data / "postgresql.auto.conf") << most;
  BOOST_TEST(files_not_kept(data.path().string(), {}).empty());
  std::ofstream(data / "postgresql.auto.conf", std::ios::app) << "#";
  std::ofstream(data / "pg_ident.conf") << most << "#\n";
  BOOST_TEST(
      files_not_kept(data.path().string(), {}) == (std::vector<std::string>{"postgresql.auto.conf", "pg_ident.conf"}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(no_link_of_a_data_directory_is_followed) {
  const temp_dir directory;
  const fs::path data = directory / "data";
  write(directory / "secret", "root:x:0");
  write(data / "postgresql.conf", "");
  fs::create_symlink(directory / "secret", data / "postgresql.auto.conf");
  fs::create_directories(directory / "elsewhere");
  write(fs::path(directory / "elsewhere") / "pgstat.stat", "root:x:0");
  fs::create_directory_symlink(directory / "elsewhere", data / "pg_stat");
  for (const auto& each : *read_settings_files(data.string(), {})) BOOST_TEST(each.content.empty(), each.name);
  BOOST_TEST(read_data_files(data.string()).empty());
}

BOOST_AUTO_TEST_CASE(a_change_of_a_watched_file_is_seen_once) {
  const temp_dir directory;
  const fs::path data = directory.path();
  lasting_watch watch(data.string());
  BOOST_TEST(!watch.has_changed());
  BOOST_TEST(!watch.has_changed());
  write(data / "postgresql.auto.conf", "a = 1\n");
  BOOST_TEST(watch.has_changed());
  BOOST_TEST(!watch.has_changed());
  // As Postgres does it: a new file with the name.
  write(data / "postgresql.auto.conf.tmp", "a = 2\n");
  fs::rename(data / "postgresql.auto.conf.tmp", data / "postgresql.auto.conf");
  BOOST_TEST(watch.has_changed());
  write(data / "autoprewarm.blocks", "<<0>>\n");
  BOOST_TEST(watch.has_changed());
}

BOOST_AUTO_TEST_CASE(logical_slots_are_found_by_their_database) {
  const temp_dir directory;
  const fs::path slots = directory / "pg_replslot";
  const auto state = [](char database) {
    std::string text(200, '\0');
    text[16 + 64] = database;
    return text;
  };
  write(slots / "feed" / "state", state(5));
  write(slots / "strata" / "state", state(0));
  write(slots / "torn" / "state", "x");
  const std::vector<std::string> expected{"feed"};
  BOOST_TEST(logical_slots_in(directory.path().string()) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_reason_of_a_failed_start_is_its_fatal_line) {
  BOOST_TEST(
      reason_in("start postgres on /d: it ended; its log:\n  LOG:  x\n  FATAL:  could not access file \"y\"\n  z") ==
      "FATAL:  could not access file \"y\"");
  BOOST_TEST(reason_in("no log\nat all") == "no log");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
