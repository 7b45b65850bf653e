#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/failure.hpp"
#include "cli/server_file.hpp"
#include "cli/terminal.hpp"
#include "storage/metadata/metadata_rebuild.hpp"

namespace strata::cli {
namespace {

using nlohmann::json;

json to_json(const storage::rebuild_report& report) {
  json timelines = json::array();
  for (const auto& each : report.timelines)
    timelines.push_back({{"source", each.tenant},
                         {"branch", each.name},
                         {"timeline_id", to_string(each.id)},
                         {"recovered_to_lsn", core::to_string(each.recovered_to)},
                         {"layers", each.layers},
                         {"damaged_layers", each.damaged_layers}});
  return {{"whole", report.whole},
          {"rebuilt", timelines},
          {"not_rebuilt", report.lost},
          {"damaged_metadata", report.kept_in}};
}

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

std::string next_after(core::errc refusal, const std::string& directory) {
  if (refusal == core::errc::conflict) return "strata up --detach --dir " + directory;
  if (refusal == core::errc::disk_full) return "make room there, then strata metadata rebuild --dir " + directory;
  return "";
}

void rebuild(const context& of, bool force) {
  std::error_code ignored;
  if (!std::filesystem::exists(of.directory + "/metadata", ignored) &&
      !std::filesystem::exists(of.directory + "/tenants", ignored))
    throw failure(exit_code::not_found, "not_found", "can't rebuild the metadata",
                  of.directory + " is not the directory of a server", "name it with --dir");
  const auto lock = directory_lock::take(of.directory);
  if (!lock)
    throw failure(lock.error(), "can't rebuild the metadata while the server runs",
                  "strata down --dir " + of.directory);
  ::umask(0077);
  auto done = storage::rebuild_metadata(of.directory + "/metadata", of.directory + "/tenants", force);
  if (!done) throw failure(done.error(), "can't rebuild the metadata", next_after(done.error().code, of.directory));
  if (of.json)
    print(to_json(*done));
  else
    show(*done);
  if (!done->complete())
    throw failure(
        exit_code::failure, "corrupt", "not everything could be rebuilt",
        done->lost.empty() ? "layer files are missing or damaged; reads that need them will fail"
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
