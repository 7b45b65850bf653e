#include "cli/shared_options.hpp"

#include <CLI/CLI.hpp>

#include "cli/context.hpp"
#include "config/quantity.hpp"
#include "control/agents.hpp"
#include "control/failure.hpp"

namespace strata::cli {

void add_tenant_option(CLI::App& command, context& of) {
  command.add_option("--tenant", of.tenant, "Source, if the server has more than one");
}

void add_pg_bin_option(CLI::App& command, context& of) {
  command.add_option("--pg-bin", of.pg_bin,
                     "Directories with Postgres programs, separated by ':', searched before the default places");
}

void add_stop_limit_option(CLI::App& command, std::chrono::milliseconds& limit) {
  const auto parse = [&command, &limit](const std::string& text) {
    const std::string what = "can't use --limit " + text;
    limit = control::need(config::parse_duration(text), what, "write it as in --limit 30s");
    if (limit > control::stop_limit_max)
      throw control::failure(core::errc::invalid_argument, what,
                             "it is at most " + config::duration_text(control::stop_limit_max),
                             "strata " + command.get_parent()->get_name() + " " + command.get_name() + " --help");
  };
  command
      .add_option_function<std::string>(
          "--limit", parse, "How long a writer waits for acknowledgements, at most 60s; then it is stopped at once")
      ->type_name("TIME")
      ->default_str(config::duration_text(limit));
}

}  // namespace strata::cli
