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
                                                     {"branch", "tree"},
                                                     {"export"},
                                                     {"compute", "start"},
                                                     {"compute", "list"},
                                                     {"compute", "stop"},
                                                     {"url"},
                                                     {"psql"},
                                                     {"wal", "verify"}};

BOOST_FIXTURE_TEST_SUITE(cli_command_line, command_line)

BOOST_AUTO_TEST_CASE(every_command_explains_itself_with_examples) {
  for (auto words : commands) {
    words.emplace_back("--help");
    const finished said = strata(words);
    BOOST_TEST(said.exit_code == 0, words.front());
    BOOST_TEST(said.out.find("Examples:\n  ") != std::string::npos, said.out);
    BOOST_TEST(said.out.find("--json") != std::string::npos, said.out);
    BOOST_TEST(said.out.find("--dir") != std::string::npos, said.out);
  }
  BOOST_TEST(strata({"--help"}).out.find("Exit codes: 0 ok") != std::string::npos);
  BOOST_TEST(strata({"--version"}).exit_code == 0);
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
  check_teaches(strata({"branch", "show", "main@10m"}), 2, "takes a branch as a whole");
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

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
