#include "control/copy_start.hpp"

#include "control/branch_server.hpp"
#include "control/compute_settings.hpp"
#include "control/failure.hpp"
#include "host/lasting_files.hpp"

namespace strata::control {
namespace {

/// "shared_preload_libraries = ''" of "shared_preload_libraries=".
std::string as_line(const std::string& forced) {
  const auto equals = forced.find('=');
  std::string value;
  for (const char c : forced.substr(equals + 1)) value += c == '\'' ? std::string("''") : std::string(1, c);
  return forced.substr(0, equals) + " = '" + value + "'\n";
}

core::result<pid_t> start_with(const host::lasting_start& start, host::postgres_options server,
                               const host::compute_record& record) {
  server.user_text = start.text;
  // Not on the command line: later starts of the copy have its files only.
  for (const auto& each : start.forced) server.user_text.auto_conf += as_line(each);
  server.conf_lines = start.conf_lines;
  need(host::write_settings(server, record.settings), "can't configure the compute", "");
  return host::start_postgres(server);
}

}  // namespace

void start_copy(const scope& of, const host::compute_record& record, const host::postgres_options& server) {
  const std::string what = "Postgres did not start on " + record.branch;
  const auto files = need(branch_server(of, record).lasting(record.at, 0), what, "strata status");
  const host::lasting_host here{
      .armed = record.armed,
      .data_directory = record.data_directory,
      .settings = record.settings,
      .has_library = [&](const std::string& each) { return host::has_library(record.bin_directory, each); }};
  auto choice = host::settings_choice::newest;
  std::string refusal;
  for (;;) {
    const auto start = host::choose_lasting(files, choice, here);
    const auto started = start_with(start, server, record);
    const auto next = host::choice_after(files, choice);
    if (started || !next) {
      need(started, what, next_after_failed_start(record, "strata branch show " + record.branch));
      if (!refusal.empty())
        of.report->note("Postgres did not start with the settings of the branch (" + refusal + "): " +
                        (choice == host::settings_choice::proven ? "the last good ones are used" : "none are used"));
      for (const auto& each : start.notes) of.report->note(each);
      return;
    }
    if (refusal.empty()) refusal = host::reason_in(started.error().detail);
    choice = *next;
  }
}

}  // namespace strata::control
