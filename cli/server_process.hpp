#pragma once

#include <functional>
#include <string>

#include "config/options.hpp"
#include "control/server_file.hpp"
#include "core/log.hpp"

namespace strata::cli {

struct server_request {
  config::server_options options;
  core::log_level log_level = core::log_level::info;
  std::string log_file;  ///< empty: standard error
};

/// Runs the server of a directory until SIGTERM or SIGINT, then stops it in order. Call on the main thread, before any
/// other thread runs. `ready` is called once everything answers and server.json is written. Throws a failure when it
/// can't start (conflict: another server has the directory).
void run_server(const server_request& request, const std::function<void(const control::server_file&)>& ready);

/// Starts it in a process of its own, which logs to strata.log in the directory, and waits until it answers.
control::server_file start_detached(const std::string& directory, const server_request& request);

}  // namespace strata::cli
