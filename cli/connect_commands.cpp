#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/shared_options.hpp"
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
    say("note: TCP requires a password; set one first: strata psql --compute " + record.name + " -c \"\\\\password\"");
}

void run_psql(const context& of, connect_request asked) {
  asked.interactive = ::isatty(STDIN_FILENO) == 1 && output_is_terminal();
  open_psql(of, std::move(asked));
}

}  // namespace

void add_connect_commands(CLI::App& app, context& of) {
  const auto add_target = [&of](CLI::App& command, connect_request& asked, const char* branch) {
    command.add_option("BRANCH", asked.branch, branch);
    command.add_option("--compute", asked.compute, "Running compute of this name");
    command.add_option("--user", asked.as.user, "Role (default: the role that follows the source)");
    command.add_option("--database", asked.as.database,
                       "Database (default: the one in the source's connection string)");
    add_tenant_option(command, of);
  };
  auto* url = app.add_subcommand("url", "Print the connection URI of a branch's Postgres");
  auto wanted = std::make_shared<url_request>();
  add_target(*url, *wanted, "Branch, or name of a compute");
  url->add_flag("--tcp", wanted->tcp, "Use the loopback interface and a password instead of the socket");
  finish_command(*url, of, "  psql \"$(strata url dev)\"\n  strata url dev --database shop --user app",
                 [&of, wanted] { show_url(of, *wanted); });

  auto* psql =
      app.add_subcommand("psql",
                         "Open psql on the head of a branch, starting a Postgres if none is running.\nWith @WHEN, or "
                         "on a branch that follows its source, psql opens a temporary Postgres, read-only where the "
                         "host allows it, which is removed when psql ends");
  auto asked = std::make_shared<connect_request>();
  add_target(*psql, *asked, "Branch, BRANCH@WHEN, or name of a compute");
  psql->add_option("-c,--command", asked->commands, "Run this command and exit; can be repeated")
      ->allow_extra_args(false);
  psql->add_option("ARGUMENTS", asked->words, "Arguments for psql, after --");
  add_pg_bin_option(*psql, of);
  finish_command(*psql, of,
                 "  strata psql dev\n  strata psql dev --database shop -c \"select 1\"\n"
                 "  strata psql dev -- -f changes.sql\n  strata psql main@\"1 minute ago\"",
                 [&of, asked] { run_psql(of, *asked); });
}

}  // namespace strata::cli
