#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/branches.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/last_words.hpp"
#include "cli/output_file.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"

namespace strata::cli {
namespace {

struct export_options {
  std::string spec;
  std::string output;
};

void export_branch(const context& of, const export_options& asked) {
  const auto begun = std::chrono::steady_clock::now();
  const std::string output = asked.output == "-" ? "" : asked.output;
  if (output.empty() && output_is_terminal())
    throw failure(exit_code::usage, "invalid_argument", "a tar archive would make a mess of your terminal",
                  "standard output is a terminal", "strata export " + asked.spec + " -o base.tar");
  const auto spec = parse_spec(asked.spec);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  const resolved_point point = resolve(server, branch, spec.at);
  if (!of.json) say("exporting " + describe(branch, point));
  output_file to = output.empty() ? output_file::standard_output()
                                  : need(output_file::open(output), "can't write " + output,
                                         "name a file, a FIFO or a character device with -o");
  const last_words on_signal(to.temporary(), "");
  progress line(of.json);
  const auto taken = server.api().download(branch.path() + "/export", {{"lsn", core::to_string(point.at)}},
                                           [&](core::bytes_view part) {
                                             auto written = to.write(part);
                                             line.show("written", config::size_text(to.bytes()));
                                             return written;
                                           });
  line.end();
  need(taken, "the export is not complete", "strata branch show " + branch.spec());
  need(to.finish(), "can't write " + (output.empty() ? "the archive" : output), "strata export " + asked.spec);
  // With the archive on standard output there is no room for anything else.
  if (of.json && !output.empty())
    return print(nlohmann::json{
        {"branch", branch.name}, {"lsn", core::to_string(point.at)}, {"bytes", to.bytes()}, {"file", output}});
  say("exported " + config::size_text(to.bytes()) + "  " + time_taken(begun));
}

}  // namespace

void add_export_command(CLI::App& app, context& of) {
  auto* command = app.add_subcommand("export", "Write a branch as a plain Postgres data directory, as tar");
  auto asked = std::make_shared<export_options>();
  command->add_option("BRANCH", asked->spec, "BRANCH or BRANCH@WHEN")->required();
  command->add_option("-o,--output", asked->output, "File to write (default: standard output)");
  command->add_option("--tenant", of.tenant, "The source, when there are several");
  finish_command(*command, of,
                 "  strata export main > base.tar\n  strata export main@10m -o base.tar\n"
                 "  strata export dev | tar -x -C /srv/restored",
                 [&of, asked] { export_branch(of, *asked); });
}

}  // namespace strata::cli
