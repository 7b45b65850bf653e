#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/branches.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/last_words.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"

namespace strata::cli {
namespace {

struct export_options {
  std::string spec;
  std::string output;
};

/// Where the archive goes. A file appears under its name when it is complete.
class destination {
 public:
  explicit destination(std::string path) : path_(std::move(path)) {
    if (path_.empty()) return;
    file_ = ::open(temporary().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file_ < 0) throw failure(core::from_errno("open " + temporary(), errno), "can't write " + path_, "");
  }
  ~destination() {
    if (path_.empty() || file_ < 0) return;
    ::close(file_);
    ::unlink(temporary().c_str());
  }
  destination(const destination&) = delete;
  destination& operator=(const destination&) = delete;

  core::result<void> write(core::bytes_view data) {
    bytes_ += data.size();
    while (!data.empty()) {
      const ssize_t written = ::write(file_, data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return core::from_errno("write " + (path_.empty() ? "the archive" : temporary()), errno);
      data = data.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }
  void finish() {
    if (path_.empty()) return;
    const bool kept = ::fsync(file_) == 0 && ::close(file_) == 0 && ::rename(temporary().c_str(), path_.c_str()) == 0;
    file_ = -1;
    if (!kept) throw failure(core::from_errno("finish " + path_, errno), "can't write " + path_, "");
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] std::string temporary() const { return path_ + ".part"; }
  std::string path_;
  int file_ = STDOUT_FILENO;
  std::uint64_t bytes_ = 0;
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
  destination to(output);
  const last_words on_signal(output.empty() ? "" : output + ".part", "");
  progress line(of.json);
  const auto taken = server.api().download(branch.path() + "/export", {{"lsn", core::to_string(point.at)}},
                                           [&](core::bytes_view part) {
                                             auto written = to.write(part);
                                             line.show("written", config::size_text(to.bytes()));
                                             return written;
                                           });
  line.end();
  need(taken, "the export is not complete", "strata branch show " + branch.name);
  to.finish();
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
