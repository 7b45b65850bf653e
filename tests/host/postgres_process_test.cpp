#include "host/postgres_process.hpp"

#include <fcntl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "host/free_port.hpp"
#include "host/left_memory.hpp"
#include "host/local_position.hpp"
#include "host/postgres_install.hpp"
#include "host/program.hpp"
#include "host/quorum_settings.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/strata_server.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::host {
namespace {

namespace fs = std::filesystem;

/// A data directory that nobody serves yet.
struct with_data {
  with_data() {
    auto found = postgres_account();
    BOOST_TEST_REQUIRE(found);
    options.run_as = *found;
    options.bin_directory = tests::postgres_bin_directory();
    options.data_directory = home / "data";
    options.socket_directory = home / "socket";
    options.log_file = home / "log";
    options.port = *free_port();
    fs::create_directory(options.data_directory);
    if (options.run_as) BOOST_TEST_REQUIRE(give(*options.run_as, options.data_directory));
    const auto made = run({.arguments = {options.bin_directory + "/initdb", "-D", options.data_directory, "-U",
                                         "o-brien", "-A", "trust", "--no-sync", "--locale", "C.UTF-8"},
                           .directory = options.data_directory,
                           .run_as = options.run_as});
    BOOST_TEST_REQUIRE(made);
    BOOST_TEST_REQUIRE(made->exit_code == 0, made->output);
  }
  ~with_data() { BOOST_TEST(stop_postgres(options.data_directory)); }

  [[nodiscard]] outcome psql(const std::string& sql) const {
    const auto said = run({.arguments = {options.bin_directory + "/psql", "-XAtq", "-h", options.socket_directory, "-p",
                                         std::to_string(options.port), "-U", "o-brien", "-c", sql, "postgres"}});
    BOOST_TEST_REQUIRE(said);
    return *said;
  }
  tests::temp_dir home;
  postgres_options options;
};

BOOST_AUTO_TEST_SUITE(host_postgres_process)

BOOST_FIXTURE_TEST_CASE(a_server_is_started_answers_over_its_socket_and_is_stopped, with_data) {
  BOOST_TEST_REQUIRE(write_settings(options, {"work_mem = 7MB"}));
  const auto started = start_postgres(options);
  BOOST_TEST_REQUIRE(started.has_value(), (started.has_value() ? "" : started.error().detail));
  BOOST_TEST((running_postgres(options.data_directory) == *started));
  BOOST_TEST(psql("show work_mem").output == "7MB\n");
  BOOST_TEST(psql("show archive_mode").output == "off\n");
  BOOST_TEST((fs::status(options.socket_directory).permissions() == fs::perms(0700)));

  const auto second = start_postgres(options);
  BOOST_TEST_REQUIRE(!second.has_value());
  BOOST_TEST(second.error().code == core::errc::conflict);
  BOOST_TEST(check_port(options.port).error().code == core::errc::conflict);

  BOOST_TEST_REQUIRE(stop_postgres(options.data_directory));
  BOOST_TEST(!running_postgres(options.data_directory).has_value());
  BOOST_TEST(!is_running(*started));
  BOOST_TEST(stop_postgres(options.data_directory));
}

BOOST_FIXTURE_TEST_CASE(settings_belong_to_the_account_and_a_start_gives_it_the_rest_unless_it_owns_that, with_data) {
  if (!options.run_as) return;
  struct stat about {};
  const auto owner = [&](const char* name) {
    BOOST_TEST_REQUIRE(::lstat((options.data_directory + name).c_str(), &about) == 0);
    return about.st_uid;
  };
  const std::string ours = options.data_directory + "/ours";
  for (const bool owns_directory : {true, false}) {
    std::ofstream(ours) << "root's";
    BOOST_TEST_REQUIRE(::chown(ours.c_str(), 0, 0) == 0);
    BOOST_TEST_REQUIRE(::chown((options.data_directory + "/pg_ident.conf").c_str(), 0, 0) == 0);
    options.owns_directory = owns_directory;
    BOOST_TEST_REQUIRE(write_settings(options, {}));
    for (const char* name : {"/postgresql.conf", "/postgresql.auto.conf", "/pg_ident.conf", "/pg_hba.conf"})
      BOOST_TEST(owner(name) == options.run_as->user, name);
    BOOST_TEST_REQUIRE(start_postgres(options));
    BOOST_TEST((owner("/ours") == 0) == owns_directory);
    BOOST_TEST_REQUIRE(stop_postgres(options.data_directory));
  }
}

BOOST_FIXTURE_TEST_CASE(what_is_forced_beats_the_file_and_alter_system, with_data) {
  options.forced = quorum_settings("nobody");
  options.replication_user = "o-brien";
  BOOST_TEST_REQUIRE(write_settings(options, {"wal_level = logical", "fsync = on"}));
  BOOST_TEST_REQUIRE(start_postgres(options));
  for (const auto& setting : options.forced) {
    const std::string name = setting.substr(0, setting.find('='));
    const std::string value = setting.substr(setting.find('=') + 1);
    // show has units of its own for some.
    BOOST_TEST(psql("select setting from pg_settings where name = '" + name + "'").output == value + "\n");
  }
  // Without its standby a commit would wait.
  BOOST_TEST(psql("alter system set synchronous_standby_names = ''").exit_code == 0);
  BOOST_TEST(psql("select pg_reload_conf()").exit_code == 0);
  BOOST_TEST(psql("show synchronous_standby_names").output == "nobody\n");
  BOOST_TEST(flushed_position(replication_conninfo(options.socket_directory, options.port, "o-brien"),
                              std::chrono::seconds(10))
                 .has_value());
  BOOST_TEST(psql("set synchronous_commit = off; create role mallory superuser login").exit_code == 0);
  const auto refused = flushed_position(replication_conninfo(options.socket_directory, options.port, "mallory"),
                                        std::chrono::seconds(10));
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error().code == core::errc::permission_denied), refused.error().detail);
}

BOOST_FIXTURE_TEST_CASE(a_server_ends_with_the_thread_that_started_it, with_data) {
  options.ends_with_starter = true;
  BOOST_TEST_REQUIRE(write_settings(options, {}));
  pid_t server = 0;
  std::thread([&] {
    const auto started = start_postgres(options);
    BOOST_TEST_REQUIRE(started);
    server = *started;
    BOOST_TEST(psql("select 1").output == "1\n");
  }).join();
  BOOST_TEST(wait_for_end(server, std::chrono::seconds(20)));
}

BOOST_FIXTURE_TEST_CASE(an_abandoned_server_is_gone_at_once_whatever_it_does, with_data) {
  BOOST_TEST_REQUIRE(write_settings(options, {}));
  const auto started = start_postgres(options);
  BOOST_TEST_REQUIRE(started);
  ::kill(*started, SIGSTOP);  // it can't even handle SIGQUIT
  BOOST_TEST(abandon_postgres(options.data_directory, std::chrono::milliseconds(200)));
  BOOST_TEST(!is_running(*started));
}

BOOST_FIXTURE_TEST_CASE(processes_of_a_killed_postmaster_end_with_the_abandoned_server, with_data) {
  BOOST_TEST_REQUIRE(write_settings(options, {}));
  const auto started = start_postgres(options);
  BOOST_TEST_REQUIRE(started);
  const pid_t backend = std::stoi(psql("select pid from pg_stat_activity where backend_type = 'checkpointer'").output);
  ::kill(backend, SIGSTOP);  // it doesn't notice the end of its postmaster
  ::kill(*started, SIGKILL);
  BOOST_TEST_REQUIRE(wait_for_end(*started, std::chrono::seconds(10)));
  BOOST_TEST(is_running(backend));
  BOOST_TEST(abandon_postgres(options.data_directory));
  BOOST_TEST(!is_running(backend));
}

/// The System V segments that there are now, and those in /dev/shm, of which one is in use by the process or was.
std::set<std::string> memory_of(pid_t postmaster) {
  std::set<std::string> found;
  std::ifstream maps("/proc/" + std::to_string(postmaster) + "/maps");
  for (std::string line; std::getline(maps, line);)
    if (const auto at = line.find("/dev/shm/PostgreSQL."); at != std::string::npos) found.insert(line.substr(at));
  return found;
}
bool system_v_segment_exists(int id) {
  shmid_ds state{};
  return ::shmctl(id, IPC_STAT, &state) == 0;
}

BOOST_FIXTURE_TEST_CASE(shared_memory_of_a_killed_postmaster_goes_and_no_other, with_data) {
  BOOST_TEST_REQUIRE(write_settings(options, {}));
  const auto started = start_postgres(options);
  BOOST_TEST_REQUIRE(started);
  const auto files = memory_of(*started);
  BOOST_TEST(!files.empty());
  std::ifstream pid_file(options.data_directory + "/postmaster.pid");
  std::string line;
  for (int i = 0; i < 7; ++i) std::getline(pid_file, line);
  const memory_segment segment = parse_memory_segment(line);
  BOOST_TEST_REQUIRE(segment.key != 0);

  remove_left_memory(segment, *started);  // it is in use
  BOOST_TEST(system_v_segment_exists(segment.id));
  ::kill(*started, SIGKILL);
  BOOST_TEST_REQUIRE(wait_for_end(*started, std::chrono::seconds(10)));
  tests::wait_until("its processes have let go of it", [&] {
    shmid_ds state{};
    return ::shmctl(segment.id, IPC_STAT, &state) == 0 && state.shm_nattch == 0;
  });
  remove_left_memory(segment, *started + 1);  // another's
  remove_left_memory({segment.key + 1, segment.id}, *started);
  BOOST_TEST(system_v_segment_exists(segment.id));
  for (const auto& each : files) BOOST_TEST(fs::exists(each), each);

  BOOST_TEST(abandon_postgres(options.data_directory));
  BOOST_TEST(!system_v_segment_exists(segment.id));
  for (const auto& each : files) BOOST_TEST(!fs::exists(each), each);
  BOOST_TEST((parse_memory_segment("garbage").key == 0));
}

BOOST_FIXTURE_TEST_CASE(every_process_of_a_server_holds_the_files_that_it_inherits, with_data) {
  int pipe[2];
  BOOST_TEST_REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  options.inherited = {{.fd = pipe[1], .as = 199}};
  BOOST_TEST_REQUIRE(write_settings(options, {}));
  BOOST_TEST_REQUIRE(start_postgres(options));
  const std::string backend = psql("select pid from pg_stat_activity where backend_type = 'checkpointer'").output;
  const std::string its = "/proc/" + backend.substr(0, backend.find('\n')) + "/fd/199";
  BOOST_TEST(fs::read_symlink(its) == fs::read_symlink("/proc/self/fd/" + std::to_string(pipe[1])));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

BOOST_FIXTURE_TEST_CASE(loopback_asks_for_a_password, with_data) {
  BOOST_TEST_REQUIRE(write_settings(options, {}));
  BOOST_TEST_REQUIRE(start_postgres(options));
  const auto over_tcp =
      run({.arguments = {options.bin_directory + "/psql", "-w", "-h", "127.0.0.1", "-p", std::to_string(options.port),
                         "-U", "o-brien", "-c", "select 1", "postgres"}});
  BOOST_TEST_REQUIRE(over_tcp);
  BOOST_TEST(over_tcp->exit_code == 2);
  BOOST_TEST(over_tcp->output.find("no password supplied") != std::string::npos, over_tcp->output);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_ends_at_once_is_told_with_its_log, with_data) {
  BOOST_TEST_REQUIRE(write_settings(options, {"no_such_setting = 1"}));
  const auto failed = start_postgres(options);
  BOOST_TEST_REQUIRE(!failed.has_value());
  BOOST_TEST(failed.error().detail.find("no_such_setting") != std::string::npos, failed.error().detail);
  BOOST_TEST(!running_postgres(options.data_directory).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_pid_file_that_a_crash_left_is_nobody_s, with_data) {
  // This process lives, and is no Postgres.
  std::ofstream(options.data_directory + "/postmaster.pid") << ::getpid() << "\n" << options.data_directory << "\n";
  BOOST_TEST(!running_postgres(options.data_directory).has_value());
  std::ofstream(options.data_directory + "/postmaster.pid") << "garbage\n";
  BOOST_TEST(!running_postgres(options.data_directory).has_value());
  fs::remove(options.data_directory + "/postmaster.pid");
}

BOOST_AUTO_TEST_CASE(a_socket_directory_that_is_too_long_is_refused) {
  postgres_options options;
  options.socket_directory = "/tmp/" + std::string(100, 'x');
  BOOST_TEST(start_postgres(options).error().code == core::errc::invalid_argument);
}

BOOST_AUTO_TEST_CASE(versions_are_read_from_what_postgres_says) {
  BOOST_TEST(*parse_postgres_version("postgres (PostgreSQL) 15.9 (Debian 15.9-0+deb12u1)\n") == 15);
  BOOST_TEST(*parse_postgres_version("postgres (PostgreSQL) 18beta1\n") == 18);
  for (const char* text : {"", "bash 5", "postgres (PostgreSQL) x"})
    BOOST_TEST(!parse_postgres_version(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(postgres_is_found_in_the_first_place_that_has_the_version) {
  const std::string bin = tests::postgres_bin_directory();
  BOOST_TEST(*find_postgres(15, {bin, "", ""}) == bin);
  BOOST_TEST(*find_postgres(15, {"", "/nowhere", ""}) == bin);
  BOOST_TEST(*find_postgres(15, {"", "", "/nowhere:" + bin}) == bin);
  const auto missing = find_postgres(99, {bin, "", ""});
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST(missing.error().code == core::errc::not_found);
  BOOST_TEST(missing.error().detail.find(bin + " (has 15)") != std::string::npos, missing.error().detail);
}

BOOST_AUTO_TEST_CASE(of_several_directories_the_one_with_the_version_is_taken) {
  const tests::temp_dir home;
  const auto install = [&](const std::string& name, const std::string& version) {
    fs::create_directory(home / name);
    std::ofstream(home / name / "postgres") << "#!/bin/sh\necho 'postgres (PostgreSQL) " << version << "'\n";
    fs::permissions(home / name / "postgres", fs::perms::owner_all);
    return (home / name).string();
  };
  const std::string old = install("old", "97.3");
  const std::string next = install("next", "98.1");
  const std::string again = install("again", "98.2");
  const std::string list = old + ":/nowhere::" + next + ":" + again;
  BOOST_TEST(*find_postgres(97, {list, "", ""}) == old);
  BOOST_TEST(*find_postgres(98, {list, "", ""}) == next);
  BOOST_TEST(*find_postgres(98, {"", list, ""}) == next);
  BOOST_TEST(*find_postgres(98, {again, list, ""}) == again);
  // What was named has no such version, and then the usual places are looked at.
  BOOST_TEST(*find_postgres(15, {list, "", tests::postgres_bin_directory().string()}) ==
             tests::postgres_bin_directory().string());
  const auto missing = find_postgres(99, {list, "", ""});
  BOOST_TEST_REQUIRE(!missing.has_value());
  const std::string said = old + " (has 97), /nowhere, " + next + " (has 98), " + again + " (has 98)";
  BOOST_TEST(missing.error().detail.find(said) != std::string::npos, missing.error().detail);
}

BOOST_AUTO_TEST_CASE(the_version_of_a_program_is_read_without_a_start) {
  const tests::temp_dir home;
  const auto install = [&](const std::string& name, std::size_t at, const std::string& text) {
    fs::create_directory(home / name);
    // A start of it would fail.
    std::string program = "\177ELF";
    program.resize(at, '.');
    std::ofstream(home / name / "postgres") << program << text << std::string(100, '\0');
    fs::permissions(home / name / "postgres", fs::perms::owner_all);
    return (home / name).string();
  };
  const std::size_t part = 256u << 10;
  const std::string text = "postgres (PostgreSQL) 97.3 (Debian 97.3-1)\n";
  for (const std::size_t at : {std::size_t{4}, std::size_t{5000}, part - 63, part - 22, part - 1, part, 3 * part - 10})
    BOOST_TEST(find_postgres(97, {install(std::to_string(at), at, text), "", ""}).has_value(), at);
  BOOST_TEST(!find_postgres(97, {install("none", 5000, "postgres (PostgreSQL) x"), "", ""}).has_value());
  const std::string closed = install("closed", 5000, text);
  fs::permissions(closed + "/postgres", fs::perms::owner_read);
  BOOST_TEST(!find_postgres(97, {closed, "", ""}).has_value());
}

BOOST_AUTO_TEST_CASE(a_program_that_is_missing_or_does_not_end_is_an_error) {
  BOOST_TEST(run({.arguments = {"/nowhere/prog"}}).error().code == core::errc::not_found);
  const auto slow = run({.arguments = {"/bin/sleep", "60"}}, std::chrono::milliseconds(50));
  BOOST_TEST_REQUIRE(!slow.has_value());
  BOOST_TEST(slow.error().code == core::errc::timeout);
  const auto said = run({.arguments = {"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}});
  BOOST_TEST_REQUIRE(said);
  BOOST_TEST(said->exit_code == 3);
  BOOST_TEST(said->output == "out\nerr\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
