#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/terminal.hpp"
#include "control/failure.hpp"
#include "control/metadata_rebuild.hpp"

namespace strata::cli {

using namespace control;
namespace {

void show(const storage::rebuild_report& report) {
  for (const auto& name : report.whole) print("source " + name + ": whole, taken over as it is");
  for (const auto& each : report.timelines) {
    print("branch " + each.tenant + "/" + each.name + ": rebuilt up to " + core::to_string(each.recovered_to) + ", " +
          std::to_string(each.layers) + (each.layers == 1 ? " layer" : " layers"));
    for (const auto& path : each.damaged_layers) print("  missing or damaged: " + path);
  }
  for (const auto& each : report.lost) print("not rebuilt: " + each);
  if (!report.kept_in.empty()) print("the damaged metadata is kept in " + report.kept_in);
  if (report.timelines.empty()) return;
  say("note: when the transactions of rebuilt branches ended is not known any more; BRANCH@TIME is refused for times\n"
      "      before now. What came after the LSN comes from the source or the safekeepers again, as long as they keep\n"
      "      it. WAL of deleted branches that was still to be removed from safekeepers stays there.");
}

void rebuild(const context& of, bool force) {
  const auto done = rebuild_metadata(of, force);
  if (of.json)
    print(json_of(done));
  else
    show(done);
  if (!done.complete())
    throw failure(
        core::errc::corrupt, "not everything could be rebuilt",
        done.lost.empty() ? "layer files are missing or damaged; reads that need them will fail"
                          : "the list above says what is missing and why",
        "bring the files back and repeat with --force, or go on without: strata up --detach --dir " + of.directory);
  if (!of.json) say("next: strata up --detach --dir " + of.directory);
}

}  // namespace

void add_metadata_commands(CLI::App& app, context& of) {
  auto* group = app.add_subcommand("metadata", "What the server knows of its sources, branches and layer files");
  group->require_subcommand(1);
  auto* command = group->add_subcommand(
      "rebuild",
      "Make damaged metadata anew while the server is down: sources that are whole as they are, the others from the\n"
      "copies beside their layer files. Says what was rebuilt, up to which LSN, and what was not; the damaged "
      "metadata\n"
      "is kept.");
  auto force = std::make_shared<bool>(false);
  command->add_flag("--force", *force, "Although nothing is damaged: everything from the copies");
  finish_command(*command, of, "  strata metadata rebuild\n  strata metadata rebuild --dir /srv/strata",
                 [&of, force] { rebuild(of, *force); });
}

}  // namespace strata::cli
