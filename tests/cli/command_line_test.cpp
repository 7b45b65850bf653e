#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

struct command_line {
  [[nodiscard]] finished strata(std::vector<std::string> words) const {
    words.insert(words.begin(), STRATA_BINARY);
    return run({.arguments = std::move(words),
                .environment = {{"STRATA_DIR", (home / "server").string()}, {"NO_COLOR", "1"}}});
  }
  void check_teaches(const finished& said, int exit_code, const std::string& part) const {
    BOOST_TEST(said.exit_code == exit_code, said.out + said.err);
    BOOST_TEST(said.out == "");
    BOOST_TEST(said.err.starts_with("error: "), said.err);
    BOOST_TEST(said.err.find("next:") != std::string::npos, said.err);
    BOOST_TEST(said.err.find(part) != std::string::npos, said.err);
  }
  temp_dir home;
};

const std::vector<std::vector<std::string>> commands{{"up"},
                                                     {"down"},
                                                     {"status"},
                                                     {"actors"},
                                                     {"source", "add"},
                                                     {"source", "list"},
                                                     {"source", "config"},
                                                     {"source", "remove"},
                                                     {"branch", "create"},
                                                     {"branch", "list"},
                                                     {"branch", "show"},
                                                     {"branch", "delete"},
                                                     {"branch", "reset"},
                                                     {"branch", "protect"},
                                                     {"branch", "unprotect"},
                                                     {"branch", "tree"},
                                                     {"export"},
                                                     {"compute", "start"},
                                                     {"compute", "list"},
                                                     {"compute", "stop"},
                                                     {"url"},
                                                     {"psql"},
                                                     {"wal", "verify"},
                                                     {"safekeeper", "run"},
                                                     {"safekeeper", "list"},
                                                     {"safekeeper", "replace"},
                                                     {"help"},
                                                     {"version"}};
const std::vector<std::string> groups{"source", "branch", "compute", "safekeeper", "wal"};

BOOST_FIXTURE_TEST_SUITE(cli_command_line, command_line)

BOOST_AUTO_TEST_CASE(every_command_explains_itself_with_examples) {
  for (auto words : commands) {
    std::string name = "strata";
    for (const auto& word : words) name += " " + word;
    words.emplace_back("--help");
    const finished said = strata(words);
    BOOST_TEST(said.exit_code == 0, name);
    BOOST_TEST(said.out.find("Examples:\n  " + (name == "strata url" ? "psql" : name)) != std::string::npos, said.out);
    // Words, not what they are in the program.
    BOOST_TEST(said.out.find("->") == std::string::npos, said.out);
    words.pop_back();
    words.insert(words.begin(), "help");
    BOOST_TEST(strata(words).out == said.out, name);
    BOOST_TEST(said.out.find("--json") != std::string::npos, said.out);
    BOOST_TEST(said.out.find("--dir") != std::string::npos, said.out);
  }
  BOOST_TEST(strata({"--help"}).out.find("Exit codes: 0 ok") != std::string::npos);
  for (const auto& group : groups) {
    const finished said = strata({group, "--help"});
    BOOST_TEST(said.exit_code == 0);
    BOOST_TEST(said.out.find("Examples:\n  strata " + group + " ") != std::string::npos, said.out);
    BOOST_TEST(said.out.find("\n  strata up") == std::string::npos, said.out);
    BOOST_TEST(strata({"help", group}).out == said.out);
  }
  BOOST_TEST(strata({"help"}).out == strata({"--help"}).out);
  BOOST_TEST(strata({"--version"}).exit_code == 0);
  BOOST_TEST(strata({"version"}).out == strata({"--version"}).out);
  BOOST_TEST(strata({"version", "--json"}).out.find("\"version\": \"") != std::string::npos);
  check_teaches(strata({"help", "brnch"}), 2, "did you mean \"branch\"?");
  check_teaches(strata({"help", "branch", "creat"}), 2, "did you mean \"create\"?");
  check_teaches(strata({"brnch", "--help"}), 2, "did you mean \"branch\"?");
}

BOOST_AUTO_TEST_CASE(what_can_not_be_understood_is_named) {
  check_teaches(strata({"--bogus"}), 2, "there is no option --bogus of strata");
  check_teaches(strata({"--bogus", "branch", "list"}), 2, "--bogus");
  check_teaches(strata({"branch", "--bogus"}), 2, "there is no option --bogus of strata branch");
  check_teaches(strata({"branch", "create", "--bogus"}), 2, "there is no option --bogus of strata branch create");
  check_teaches(strata({"branch", "create", "dev", "--frm", "main"}), 2,
                "--frm of strata branch create; did you mean \"--from\"?");
  check_teaches(strata({"branch", "list", "--bogus=5"}), 2, "there is no option --bogus of");
  check_teaches(strata({"branch", "list", "-x"}), 2, "there is no option -x of");
  check_teaches(strata({"branch", "show", "a", "b"}), 2, "b");
  check_teaches(strata({"up", "--dir", "somewhere", "now"}), 2, "now");
}

BOOST_AUTO_TEST_CASE(a_wrong_value_is_refused_where_it_is_typed) {
  const std::string nowhere = (home / "nowhere").string();
  check_teaches(strata({"up", "--pg-bin", nowhere}), 3, "there is no program postgres in " + nowhere);
  check_teaches(strata({"up", "--detach", "--pg-bin", "/usr/bin:" + nowhere}), 3, "no program postgres in /usr/bin");
  check_teaches(strata({"psql", "main", "--pg-bin", nowhere}), 3, nowhere);
  check_teaches(strata({"compute", "start", "main", "--pg-bin", nowhere}), 3, nowhere);
  for (const char* port : {"70000", "65536", "-1", "http", "80x", ""}) {
    check_teaches(strata({"up", "--http-port", port}), 2, "is not a port");
    check_teaches(strata({"compute", "start", "main", "--port", port}), 2, "is not a port");
  }
  for (const char* when : {"0/XYZ", "0/", "0/123456789", "0/0"})
    check_teaches(strata({"branch", "create", "dev", "--from", "main@" + std::string(when)}), 2, "can't parse \"main@");
  for (const char* option : {"--from", "--until"}) {
    check_teaches(strata({"wal", "verify", "/", option, "0/XYZ"}), 2, option);
    check_teaches(strata({"wal", "verify", "/", option, "0/zz"}), 2, option);
  }
  check_teaches(strata({"wal", "verify", "/", "--memory", "much"}), 2, "--memory");
  check_teaches(strata({"wal", "verify", "/", "--for", "long"}), 2, "--for");
  check_teaches(strata({"compute", "stop", "dev", "--limit", "soon"}), 2, "--limit");
  check_teaches(strata({"compute", "stop", "dev", "--limit", "2m"}), 2, "--limit");
  for (const char* each : {"5", "5ms", "2d", "0", "soon"})
    check_teaches(strata({"compute", "start", "dev", "--page-timeout", each}), 2, "--page-timeout");
  for (const char* line : {"work_mem 64MB", "work_mem", "work_mem =", "work_mem = '64MB"})
    check_teaches(strata({"compute", "start", "main", "--set", line}), 2, "can't use --set");
  for (const char* name : {"data_directory", "hba_file", "ident_file", "external_pid_file", "config_file"})
    check_teaches(strata({"compute", "start", "main", "--set", std::string(name) + " = '/tmp/x'"}), 2, name);
  check_teaches(strata({"psql", "main@2026-01-01 12:00 Europe/Berlim"}), 2, "no time zone is called");
  check_teaches(strata({"up", "--listen", "0.0.0.0"}), 2, "--insecure");
  check_teaches(strata({"up", "--detach", "--listen", "::"}), 2, "--insecure");
  check_teaches(strata({"up", "--listen", "db1"}), 2, "not an IP address");
  check_teaches(
      strata({"safekeeper", "run", "--id", "1", "--data", (home / "keeper").string(), "--listen-address", "0.0.0.0"}),
      2, "--insecure");
  std::filesystem::create_directories(home / "server");
  std::ofstream(home / "server" / "strata.toml") << "listen_address = \"0.0.0.0\"\n";
  check_teaches(strata({"up"}), 2, "--insecure");
}

BOOST_AUTO_TEST_CASE(the_safekeepers_of_a_directory_that_is_not_there_are_not_listed) {
  for (const std::string command : {"status", "safekeeper"}) {
    std::vector<std::string> words{command, "--dir", (home / "nowhere").string()};
    if (command == "safekeeper") words.insert(words.begin() + 1, "list");
    check_teaches(strata(words), 6, "no server runs on " + (home / "nowhere").string());
  }
}

BOOST_AUTO_TEST_CASE(output_that_can_not_be_written_is_a_failure) {
  // Without a server, the safekeepers of a directory are listed.
  std::filesystem::create_directories(home / "server" / "safekeepers" / "1");
  for (const std::string words :
       {"--help", "--version", "help branch", "version", "version --json", "branch create --help",
        "compute list --json", "down", "down --json", "safekeeper list --json"}) {
    const finished said = run({.arguments = {"/bin/sh", "-c", "exec \"$0\" " + words + " >/dev/full", STRATA_BINARY},
                               .environment = {{"STRATA_DIR", (home / "server").string()}, {"NO_COLOR", "1"}}});
    BOOST_TEST(said.exit_code == 1, words << ": " << said.err);
    BOOST_TEST(said.err.find("write to standard output: No space left on device") != std::string::npos,
               words << ": " << said.err);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_command_is_a_usage_error_with_a_suggestion) {
  check_teaches(strata({"brnch", "list"}), 2, "did you mean \"branch\"?");
  check_teaches(strata({"branch", "creat"}), 2, "did you mean \"create\"?");
  check_teaches(strata({}), 2, "strata --help");
  check_teaches(strata({"branch"}), 2, "strata branch --help");
  check_teaches(strata({"branch", "create"}), 2, "strata branch create --help");
  check_teaches(strata({"status", "--no-such-flag"}), 2, "strata status --help");
  check_teaches(strata({"up", "--log-level", "loud"}), 2, "loud");
  check_teaches(strata({"up", "--http-port", "70000"}), 2, "strata up --help");
}

BOOST_AUTO_TEST_CASE(without_a_server_commands_say_how_to_start_one) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"status"},
                                                                 {"branch", "list"},
                                                                 {"source", "list"},
                                                                 {"branch", "create", "dev"},
                                                                 {"branch", "tree"},
                                                                 {"export", "main", "-o", "x.tar"},
                                                                 {"url", "main"}})
    check_teaches(strata(words), 6, "strata up --dir " + (home / "server").string());
}

BOOST_AUTO_TEST_CASE(arguments_are_checked_before_a_server_is_looked_for) {
  check_teaches(strata({"branch", "create", "dev", "--from", "main@soon"}), 2, "2 hours ago");
  check_teaches(strata({"branch", "create", "a/b"}), 2, "can't be the name");
  check_teaches(strata({"branch", "show", "main@10m"}), 2, "takes a branch without a point in time");
  check_teaches(strata({"source", "add", "a b", "--conninfo", "x"}), 2, "can't be the name");
}

BOOST_AUTO_TEST_CASE(errors_come_in_json_when_asked_for) {
  const finished said = strata({"status", "--json"});
  BOOST_TEST(said.exit_code == 6);
  BOOST_TEST(said.err.starts_with("{\"error\":{"), said.err);
  BOOST_TEST(said.err.find("\"exit_code\":6") != std::string::npos, said.err);
  const finished usage = strata({"branch", "crate", "--json"});
  BOOST_TEST(usage.exit_code == 2);
  BOOST_TEST(usage.err.starts_with("{\"error\":{"), usage.err);
}

BOOST_AUTO_TEST_CASE(what_needs_no_server_works_without_one) {
  const finished down = strata({"down"});
  BOOST_TEST(down.exit_code == 0);
  BOOST_TEST(down.out.find("no server runs") != std::string::npos);
  BOOST_TEST(strata({"compute", "list", "--json"}).out == "[]\n");
  check_teaches(strata({"compute", "stop", "nobody"}), 3, "there are none");
}

BOOST_AUTO_TEST_CASE(a_bad_configuration_file_is_refused_with_its_line) {
  std::filesystem::create_directory(home / "server");
  std::ofstream(home / "server" / "strata.toml") << "\nhttp_prot = 1\n";
  check_teaches(strata({"up"}), 2, "strata.toml:2: unknown option \"http_prot\"; did you mean \"http_port\"?");
}

BOOST_AUTO_TEST_CASE(a_strangers_directory_is_not_taken_for_a_servers) {
  namespace fs = std::filesystem;
  const fs::path stranger = home / "stranger";
  fs::create_directory(stranger);
  std::ofstream(stranger / "letters.txt") << "x";
  fs::permissions(stranger, fs::perms(01777));
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"up", "--dir", stranger.string()},
                                             {"up", "--detach", "--dir", stranger.string()},
                                             {"safekeeper", "run", "--id", "1", "--data", stranger.string()}}) {
    const finished said = strata(words);
    BOOST_TEST(said.exit_code == 4, said.err);
    BOOST_TEST(said.err.find("letters.txt") != std::string::npos, said.err);
    BOOST_TEST((fs::status(stranger).permissions() == fs::perms(01777)));
  }
  BOOST_TEST(std::distance(fs::directory_iterator(stranger), fs::directory_iterator()) == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
