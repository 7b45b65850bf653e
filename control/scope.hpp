#pragma once

#include <optional>
#include <string>

#include "api/api_client.hpp"
#include "control/reporter.hpp"
#include "control/server_file.hpp"

namespace strata::control {

/// What a workflow works on, and where it reports.
struct scope {
  std::string directory;  ///< of the server
  std::string tenant{};   ///< the source that a branch without one belongs to; empty: the only one
  std::string pg_bin{};   ///< directories of Postgres programs to look in first, separated by ':'
  reporter* report = &no_reporter();
};

/// The running server of a directory. Throws a failure (unavailable) that says how to start one.
class server_link {
 public:
  explicit server_link(const scope& of);
  [[nodiscard]] const api::api_client& api() const { return *api_; }
  [[nodiscard]] const server_file& file() const { return file_; }
  [[nodiscard]] reporter& report() const { return *report_; }

 private:
  server_file file_;
  std::optional<api::api_client> api_;
  reporter* report_;
};

}  // namespace strata::control
