#include "control/server_choices.hpp"

#include <sys/stat.h>

#include <utility>

#include "config/config_file.hpp"
#include "control/branches.hpp"
#include "control/failure.hpp"
#include "control/listen_address.hpp"
#include "control/own_directory.hpp"
#include "control/postgres_directories.hpp"
#include "control/safekeeper_file.hpp"
#include "host/free_port.hpp"

namespace strata::control {
namespace {

/// The safekeepers of a directory may be members of branches: all of them are started, whatever number was asked for.
void note_safekeepers_kept(const scope& of, std::uint64_t asked, const std::string& named) {
  const auto known = known_safekeepers(of.directory);
  if (known.empty() || known.back() <= asked) return;
  std::string ids;
  for (const auto id : known) ids += (ids.empty() ? "" : ", ") + std::to_string(id);
  of.report->warn(named + " is not applied: the directory has " + std::to_string(known.size()) + " safekeepers (" +
                  ids + "), and each may keep the WAL of branches; all of them are started");
}

}  // namespace

config::server_options choose_server_options(const scope& of, const server_choices& asked) {
  config::server_options base;
  base.directory = of.directory;
  config::server_options options = need(config::load_config_file(of.directory + "/strata.toml", base),
                                        "can't use strata.toml", "correct the line, or move the file away");
  if (asked.http_port) options.http_port = *asked.http_port;
  if (asked.page_port) options.page_port = *asked.page_port;
  if (asked.broker_port) options.broker_port = *asked.broker_port;
  if (asked.safekeepers) options.safekeepers = *asked.safekeepers;
  if (asked.safekeepers)
    note_safekeepers_kept(of, options.safekeepers, "--safekeepers " + std::to_string(options.safekeepers));
  else if (options.safekeepers > 0)
    note_safekeepers_kept(of, options.safekeepers, "strata.toml: safekeepers = " + std::to_string(options.safekeepers));
  if (asked.listen_address) options.listen_address = *asked.listen_address;
  for (const auto& [one, other] :
       {std::pair(options.http_port, options.page_port), std::pair(options.http_port, options.broker_port),
        std::pair(options.page_port, options.broker_port)})
    if (one != 0 && one == other)
      throw failure(core::errc::invalid_argument, "can't open port " + std::to_string(one) + " twice",
                    "the HTTP API, the page service and the broker need a port each", "strata up --help");
  // 0 asks for one that the directory has not had.
  for (const auto& [port, option] : {std::pair(asked.http_port, &config::server_options::http_port),
                                     std::pair(asked.page_port, &config::server_options::page_port)})
    if (port == 0) options.*option = need(host::free_port(), "can't find a free port");
  options.listen_address =
      need(checked_listen_address(options.listen_address, asked.insecure), "can't listen on this address",
           "strata up --listen 127.0.0.1, and a tunnel or proxy that authenticates for those outside");
  if (!of.pg_bin.empty()) options.pg_bin = of.pg_bin;
  options.pg_bin = checked_pg_bin(options.pg_bin, "pg_bin");
  return options;
}

void take_server_directory(const std::string& directory) {
  need(take_own_directory(directory, server_directory_kind()), "can't use " + directory,
       "use a directory of your own with --dir");
  // What is in it is closed to others.
  ::umask(0077);
}

bool may_have_sources(const scope& of) {
  try {
    return !list_sources(server_link(of)).empty();
  } catch (const failure&) {
    return true;  // strata status tells more
  }
}

}  // namespace strata::control
