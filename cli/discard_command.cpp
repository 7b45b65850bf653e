#include <CLI/CLI.hpp>
#include <csignal>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/terminal.hpp"
#include "control/discard.hpp"
#include "control/interrupted_compute.hpp"

namespace strata::cli {
namespace {

struct discard_request {
  std::string name;
  bool keep = false;
  int signal = SIGTERM;
};

void run_discard(const context& of, const discard_request& asked) {
  for (const int each : control::end_of_command) ::signal(each, SIG_IGN);
  if (!control::discard_interrupted(of, asked.name, asked.keep))
    say("interrupted; compute " + asked.name +
        " could not be stopped\nnext: strata compute list; strata compute stop " + asked.name +
        (asked.keep ? "" : " --remove"));
  else
    say(asked.keep ? "interrupted; compute " + asked.name + " was stopped, its data was kept"
                   : "interrupted; compute " + asked.name + " was removed");
  ::signal(asked.signal, SIG_DFL);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, asked.signal);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(asked.signal);
}

}  // namespace

void add_discard_command(CLI::App& app, context& of) {
  // Not for people: a command that a signal ends becomes it.
  auto* command = app.add_subcommand("compute-discard", "Stop the compute of an interrupted command")->group("");
  auto asked = std::make_shared<discard_request>();
  command->add_option("--name", asked->name, "Compute")->required();
  command->add_flag("--keep", asked->keep, "Stop the compute and keep its data");
  command->add_option("--signal", asked->signal, "Signal to end with")->required();
  finish_command(*command, of, "  strata compute-discard --dir DIR --name dev --signal 2",
                 [&of, asked] { run_discard(of, *asked); });
}

}  // namespace strata::cli
