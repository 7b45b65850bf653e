#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "control/filler.hpp"

namespace strata::cli {

void add_filler_command(CLI::App& app, context& of) {
  // Not for people: the agent of a compute runs it.
  auto* command = app.add_subcommand("compute-filler", "Fill in the pages of a compute's data directory")->group("");
  auto words = std::make_shared<control::filler_words>();
  command->add_option("--name", words->compute, "Compute")->required();
  command->add_option("--at", words->at, "LSN of the pages")->required();
  command->add_option("--group", words->group, "Descriptor of the group of events, inherited; without it the directory is mounted");
  command->add_option("--map", words->map, "Descriptor of the map of pages, inherited")->required();
  finish_command(*command, of, "  strata compute-filler --dir DIR --name dev --at 0/16B2E18 --group 11 --map 12",
                 [&of, words] { control::run_filler(of, *words); });
}

}  // namespace strata::cli
