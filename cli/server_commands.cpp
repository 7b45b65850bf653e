#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/counted.hpp"
#include "cli/log_levels.hpp"
#include "cli/server_process.hpp"
#include "cli/shared_options.hpp"
#include "cli/terminal.hpp"
#include "control/branches.hpp"
#include "control/cluster.hpp"
#include "control/failure.hpp"
#include "control/safekeeper_processes.hpp"
#include "control/server_choices.hpp"
#include "control/server_stop.hpp"

namespace strata::cli {

using namespace control;
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct up_options : server_choices {
  bool detach = false;
  std::string log_level = "info";
};

json to_json(const server_file& of, const std::string& directory) {
  return {{"pid", of.pid},       {"http", of.http},       {"page", of.page},
          {"broker", of.broker}, {"version", of.version}, {"directory", directory}};
}

void announce(const context& of, const server_file& file) {
  if (of.json) return print(to_json(file, of.directory));
  print("strata " + file.version + " is up on " + of.directory + ", process " + std::to_string(file.pid));
  print("  http  http://" + file.http);
  print("  page  " + file.page);
  if (const auto all = look_at_cluster(of).safekeepers; !all.empty()) {
    const auto up = std::count_if(all.begin(), all.end(), [](const auto& each) { return each.up(); });
    const std::string known = std::to_string(all.size());
    print("  safekeepers  " + (up == std::ssize(all) ? known : std::to_string(up) + " of " + known) + ", broker " +
          file.broker);
    for (const auto& each : all)
      if (!each.up())
        say("note: safekeeper " + consensus::to_string(each.id) + " is " + state_text(each) + "; see " +
            safekeeper_directory(of.directory, each.id.value) + "/safekeeper.log");
  }
  say(may_have_sources(of) ? std::string("next: strata status")
                           : "next: strata source add NAME --conninfo postgresql://user@host:port/postgres");
}

void up(const context& of, const up_options& asked) {
  context here = of;
  here.directory = fs::absolute(of.directory).lexically_normal();
  if (here.directory.ends_with('/')) here.directory.pop_back();
  take_server_directory(here.directory);
  const server_request request{.options = choose_server_options(here, asked),
                               .log_level = log_level_of(asked.log_level)};
  if (asked.detach) {
    announce(here, start_detached(here.directory, request));
    return finish_output("the server keeps running");
  }
  run_server(request, [&](const server_file& file) {
    announce(here, file);
    finish_output("the server stops");
  });
}

void down(const context& of, bool with_computes) {
  const auto done = stop_server(of, with_computes);
  if (of.json)
    return print(json{{"was_running", done.was_running},
                      {"safekeepers_stopped", done.safekeepers},
                      {"computes_stopped", done.computes},
                      {"computes_running", done.computes_left}});
  print(done.was_running ? "stopped the server of " + of.directory : "no server runs on " + of.directory);
  if (done.computes > 0) print("stopped " + counted(done.computes, "compute"));
  if (done.safekeepers > 0) print("stopped " + counted(done.safekeepers, "safekeeper"));
  if (const auto left = done.computes_left; left > 0)
    say("note: " + counted(left, "compute") + (left == 1 ? " is" : " are") + " still running; strata compute list");
  std::string names;
  for (const auto& each : done.incomplete) names += (names.empty() ? "" : ", ") + each;
  if (!names.empty())
    say("note: pages of " + names +
        " are not fetched yet: queries that touch them wait, and fail after their compute's page timeout; next: strata "
        "up");
}

}  // namespace

void add_server_commands(CLI::App& app, context& of) {
  auto* up_command = app.add_subcommand("up", "Start the server of a directory");
  auto asked = std::make_shared<up_options>();
  up_command->add_option("--http-port", asked->http_port,
                         "Port of the HTTP API (default: a free one, kept for later starts)");
  up_command->add_option("--page-port", asked->page_port, "Port of the page service (default: likewise)");
  up_command
      ->add_option("--safekeepers", asked->safekeepers,
                   "Number of safekeepers for the WAL of branches, 0 to 9 (default: those of the directory)")
      ->check(CLI::Range(0u, static_cast<unsigned>(safekeepers_max)));
  up_command->add_option("--broker-port", asked->broker_port,
                         "Port of the broker, for safekeepers (default: likewise)");
  up_command->add_option("--listen", asked->listen_address, "IP address of all ports (default: 127.0.0.1)");
  up_command->add_flag("--insecure", asked->insecure,
                       "Allow an address that other machines can reach; there is no authentication");
  add_pg_bin_option(*up_command, of);
  up_command->add_flag("--detach", asked->detach, "Return when the server is ready; it logs to DIR/strata.log");
  add_log_level(*up_command, asked->log_level);
  finish_command(*up_command, of,
                 "  strata up --detach\n  strata up --detach --safekeepers 3\n  strata up --dir /srv/strata "
                 "--http-port 9898 --page-port 64000",
                 [&of, asked] { up(of, *asked); });

  auto* down_command = app.add_subcommand("down", "Stop the server of a directory; acknowledged data is kept");
  auto with_computes = std::make_shared<bool>(false);
  down_command->add_flag("--computes", *with_computes, "Also stop the computes");
  finish_command(*down_command, of, "  strata down\n  strata down --computes",
                 [&of, with_computes] { down(of, *with_computes); });
}

}  // namespace strata::cli
