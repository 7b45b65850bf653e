#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/interruption_notice.hpp"
#include "cli/shared_options.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "control/branch_export.hpp"
#include "control/failure.hpp"

namespace strata::cli {

using namespace control;
namespace {

struct export_options {
  std::string spec;
  std::string output;
};

void export_and_show(const context& of, const export_options& asked) {
  const auto begun = std::chrono::steady_clock::now();
  const std::string output = asked.output == "-" ? "" : asked.output;
  if (output.empty() && output_is_terminal())
    throw failure(core::errc::invalid_argument, "a tar archive can't be written to a terminal",
                  "standard output is a terminal", "strata export " + asked.spec + " -o base.tar");
  std::optional<interruption_notice> on_signal;
  const auto done =
      export_branch(of, asked.spec, output, [&](const std::string& temporary) { on_signal.emplace(temporary, ""); });
  // With the archive on standard output there is no room for anything else.
  if (of.json && !output.empty())
    return print(nlohmann::json{
        {"branch", done.branch}, {"lsn", core::to_string(done.at)}, {"bytes", done.bytes}, {"file", output}});
  say("exported " + config::size_text(done.bytes) + "  " + time_taken(begun));
}

}  // namespace

void add_export_command(CLI::App& app, context& of) {
  auto* command = app.add_subcommand("export", "Export a branch as a tar archive of a plain Postgres data directory");
  auto asked = std::make_shared<export_options>();
  command->add_option("BRANCH", asked->spec, "BRANCH or BRANCH@WHEN")->required();
  command->add_option("-o,--output", asked->output, "Output file (default: standard output)");
  add_tenant_option(*command, of);
  finish_command(*command, of,
                 "  strata export main > base.tar\n  strata export main@10m -o base.tar\n"
                 "  strata export dev | tar -x -C /srv/restored",
                 [&of, asked] { export_and_show(of, *asked); });
}

}  // namespace strata::cli
