#pragma once

#include <functional>
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
  /// The work of the agent of a compute, for a child of this process; empty: `strata compute-agent` is executed.
  std::function<void(const scope& of, const std::string& compute)> run_agent{};
};

/// The running server of a directory. Throws a failure (unavailable) that says how to start one.
class server_link {
 public:
  explicit server_link(const scope& of);
  /// For requests of one kind, with their limit.
  [[nodiscard]] api::api_client api(std::chrono::seconds limit = api::api_client::longest_answer) const {
    return api::api_client(file_.http, limit).repeat_while_busy(busy_limit);
  }
  /// GET of what the server answers from memory. Throws a failure if it does not answer within read_limit: it hangs.
  [[nodiscard]] core::result<nlohmann::json> get(const std::string& path) const;
  static constexpr std::chrono::seconds read_limit{5};
  /// Of requests that the server looks up or stores on its disk before it answers.
  static constexpr std::chrono::seconds short_limit{30};
  /// Of the silence of a transfer.
  static constexpr std::chrono::seconds silence_limit{60};
  /// For requests of many commands at once, of which the server takes a bounded number.
  static constexpr std::chrono::seconds busy_limit{30};
  [[nodiscard]] const server_file& file() const { return file_; }
  [[nodiscard]] reporter& report() const { return *report_; }

 private:
  std::string directory_;
  server_file file_;
  reporter* report_;
};

}  // namespace strata::control
