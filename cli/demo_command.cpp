#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/server_process.hpp"
#include "cli/shared_options.hpp"
#include "cli/terminal.hpp"
#include "control/computes.hpp"
#include "control/demo.hpp"
#include "control/discard.hpp"
#include "control/failure.hpp"
#include "control/server_choices.hpp"
#include "control/server_stop.hpp"
#include "control/shell_quoted.hpp"

namespace strata::cli {

using namespace control;
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

void set_up_and_show(const context& of, bool keep) {
  const auto begun = std::chrono::steady_clock::now();
  take_server_directory(of.directory);
  start_detached(of.directory, {.options = choose_server_options(of, {.safekeepers = 3})});
  const demo made = make_demo(of);
  const std::string main = socket_uri(made.main);
  const std::string dev = socket_uri(made.branch);
  if (of.json) {
    print(json{{"directory", of.directory}, {"main", main}, {"dev", dev}});
    return finish_output("the demo runs");
  }
  print("demo with Postgres " + std::to_string(made.main.pg_major) + " and 3 safekeepers  " + time_taken(begun));
  print("  main  " + std::to_string(made.orders) + " orders  psql " + shell_quoted(main));
  print("  dev   " + std::to_string(made.branch_orders) + " orders, a branch of main  psql " + shell_quoted(dev));
  for (const std::string& line :
       {std::string("try in another terminal:"), "  export STRATA_DIR=" + shell_quoted(of.directory),
        std::string("  strata psql main -- -c 'delete from orders'"),
        std::string("  strata psql main@10s -- -c 'select count(*) from orders'"),
        std::string("  strata branch create fixed --from main@10s"), std::string("  strata status")})
    print(line);
  finish_output("the demo runs");
  say(keep ? "next: strata down --computes --dir " + shell_quoted(of.directory) + "  (then remove the directory)"
           : "Ctrl-C stops the demo and removes it");
}

void remove(const context& of) {
  stop_server(of, true);
  std::error_code failed;
  fs::remove_all(of.directory, failed);
  if (failed) say("note: " + of.directory + " is not removed: " + failed.message());
}

/// Waits for the signal that ends the demo. False: the set-up failed, with the exit code.
bool wait_for_end(pid_t set_up, int& exit_code) {
  sigset_t awaited;
  ::sigemptyset(&awaited);
  for (const int each : end_of_command) ::sigaddset(&awaited, each);
  ::sigaddset(&awaited, SIGCHLD);
  for (;;) {
    int status = 0;
    if (set_up > 0 && ::waitpid(set_up, &status, WNOHANG) == set_up) {
      exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
      if (exit_code != 0) return false;
      set_up = 0;
    }
    if (const int received = ::sigwaitinfo(&awaited, nullptr); received < 0 || received == SIGCHLD) continue;
    if (set_up > 0) {
      ::kill(set_up, SIGKILL);
      ::waitpid(set_up, &status, 0);
    }
    return true;
  }
}

void run_demo(const context& of, bool keep) {
  context here = of;
  here.tenant.clear();
  here.directory = need(make_demo_directory(), "can't start the demo", "set TMPDIR to a directory that is writable");
  if (keep) return set_up_and_show(here, true);
  // The parent ends and removes whatever the child has come to; nothing of the set-up inherits its blocked signals.
  sigset_t before;
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (const int each : end_of_command) ::sigaddset(&blocked, each);
  ::sigaddset(&blocked, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  const pid_t parent = ::getpid();
  const pid_t set_up = ::fork();
  if (set_up < 0) throw failure(core::from_errno("fork", errno), "can't start the demo", "");
  if (set_up == 0) {
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    return set_up_and_show(here, false);
  }
  int exit_code = 0;
  const bool was_up = wait_for_end(set_up, exit_code);
  remove(here);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (!was_up) ::_exit(exit_code);
  say("stopped the demo and removed " + here.directory);
}

}  // namespace

void add_demo_command(CLI::App& app, context& of) {
  auto* command = app.add_subcommand(
      "demo", "Start a server with 3 safekeepers, a small database and a branch of it, until Ctrl-C");
  auto keep = std::make_shared<bool>(false);
  command->add_flag("--keep", *keep, "Leave everything running, and return");
  add_pg_bin_option(*command, of);
  finish_command(*command, of, "  strata demo\n  strata demo --keep", [&of, keep] { run_demo(of, *keep); });
}

}  // namespace strata::cli
