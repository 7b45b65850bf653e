#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/terminal.hpp"
#include "control/psql.hpp"

namespace strata::cli {

using namespace control;
namespace {

struct url_request : connect_request {
  bool tcp = false;
};

void show_url(const context& of, const url_request& asked) {
  check_target(asked, "strata url");
  const auto [record, is_present] = reach_compute(of, asked);
  const std::string uri = asked.tcp ? tcp_uri(record, asked.as) : socket_uri(record, asked.as);
  if (of.json)
    return print(nlohmann::json{{"compute", record.name},
                                {"source", record.tenant},
                                {"branch", record.branch},
                                {"is_present", is_present},
                                {"uri", uri}});
  print(uri);
  if (!is_present) say("note: " + age_note(record));
  if (asked.tcp && talk_is_terminal())
    say("note: TCP asks for a password; set one first: strata psql --compute " + record.name + " -c \"\\\\password\"");
}

void run_psql(const context& of, connect_request asked) {
  asked.interactive = ::isatty(STDIN_FILENO) == 1 && output_is_terminal();
  open_psql(of, std::move(asked));
}

}  // namespace

void add_connect_commands(CLI::App& app, context& of) {
  const auto add_target = [&of](CLI::App& command, connect_request& asked, const char* branch) {
    command.add_option("BRANCH", asked.branch, branch);
    command.add_option("--compute", asked.compute, "The running compute of this name, whatever it holds");
    command.add_option("--user", asked.as.user, "The role (default: as whom the source is followed)");
    command.add_option("--database", asked.as.database, "The database (default: the one the source was added with)");
    command.add_option("--tenant", of.tenant, "The source, when there are several");
  };
  auto* url = app.add_subcommand("url", "Print how to reach the Postgres of a branch");
  auto wanted = std::make_shared<url_request>();
  add_target(*url, *wanted, "The branch, or the name of a compute");
  url->add_flag("--tcp", wanted->tcp, "Over the loopback interface, with a password, instead of the socket");
  finish_command(*url, of, "  psql \"$(strata url dev)\"\n  strata url dev --database shop --user app",
                 [&of, wanted] { show_url(of, *wanted); });

  auto* psql = app.add_subcommand(
      "psql",
      "Open psql on a branch as it is now, starting a Postgres there when none runs.\nWith @WHEN, or on a branch that "
      "follows its source, that is a copy which goes with psql");
  auto asked = std::make_shared<connect_request>();
  add_target(*psql, *asked, "The branch, BRANCH@WHEN, or the name of a compute");
  psql->add_option("-c,--command", asked->commands, "Run this and end; may be given several times")
      ->allow_extra_args(false);
  psql->add_option("ARGUMENTS", asked->words, "For psql, behind --");
  psql->add_option("--pg-bin", of.pg_bin,
                   "Directories of Postgres programs, separated by ':', to look in before the usual places");
  finish_command(*psql, of,
                 "  strata psql dev\n  strata psql dev --database shop -c \"select 1\"\n"
                 "  strata psql dev -- -f changes.sql\n  strata psql main@\"1 minute ago\"",
                 [&of, asked] { run_psql(of, *asked); });
}

}  // namespace strata::cli
