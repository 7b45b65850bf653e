#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/api_client.hpp"
#include "cli/server_file.hpp"

namespace CLI {
class App;
}

namespace strata::cli {

/// What every command has: the options common to all, and the one function that the command line chose.
struct context {
  std::string directory;  ///< of the server; see default_directory()
  bool json = false;
  bool wide = false;
  std::string tenant;
  std::string pg_bin;
  std::function<void()> chosen;
};

/// STRATA_DIR, or strata/ in the user's data directory.
std::string default_directory();

/// The server of a directory. Throws a failure (unreachable) that says how to start one.
class server_link {
 public:
  explicit server_link(const context& of);
  [[nodiscard]] const api::api_client& api() const { return *api_; }
  [[nodiscard]] const server_file& file() const { return file_; }

 private:
  server_file file_;
  std::optional<api::api_client> api_;
};

/// Adds --dir, --json and what all commands share, the examples, and the function to run.
void finish_command(CLI::App& command, context& of, const std::string& examples, std::function<void()> run);

}  // namespace strata::cli
