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
  for (const auto& name : report.whole) print("source " + name + ": intact, kept");
  for (const auto& each : report.timelines) {
    print("branch " + each.tenant + "/" + each.name + ": rebuilt up to " + core::to_string(each.recovered_to) + ", " +
          std::to_string(each.layers) + (each.layers == 1 ? " layer" : " layers"));
    for (const auto& path : each.damaged_layers) print("  missing or damaged: " + path);
  }
  for (const auto& each : report.lost) print("not rebuilt: " + each);
  if (!report.kept_in.empty()) print("the damaged metadata is kept in " + report.kept_in);
  if (report.timelines.empty()) return;
  say("note: the commit times of rebuilt branches are lost: BRANCH@TIME is refused for times before now. WAL after the "
      "LSN\n      is fetched again from the source or the safekeepers, if they still have it. WAL of deleted branches "
      "that was\n      not yet deleted from safekeepers stays there.");
}

void rebuild(const context& of, bool force) {
  const auto done = rebuild_metadata(of, force);
  if (of.json)
    print(json_of(done));
  else
    show(done);
  if (!done.complete())
    throw failure(core::errc::corrupt, "not everything could be rebuilt",
                  done.lost.empty() ? "layer files are missing or damaged; reads that need them will fail"
                                    : "the list above shows what is missing and why",
                  "restore the files and repeat with --force, or continue without them: strata up --detach --dir " +
                      of.directory);
  if (!of.json) say("next: strata up --detach --dir " + of.directory);
}

}  // namespace

void add_metadata_commands(CLI::App& app, context& of) {
  auto* group = app.add_subcommand("metadata", "Metadata of sources, branches and layer files");
  group->require_subcommand(1);
  auto* command =
      group->add_subcommand("rebuild",
                            "Rebuild damaged metadata while the server is stopped: intact sources are kept, the others "
                            "are rebuilt from the\ncopies beside their layer files. Lists what was rebuilt, up to "
                            "which LSN, and what was not. The damaged metadata\nis kept.");
  auto force = std::make_shared<bool>(false);
  command->add_flag("--force", *force, "Rebuild everything from the copies, even if nothing is damaged");
  finish_command(*command, of, "  strata metadata rebuild\n  strata metadata rebuild --dir /srv/strata",
                 [&of, force] { rebuild(of, *force); });
}

}  // namespace strata::cli
