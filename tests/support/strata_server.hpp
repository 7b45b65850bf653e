#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/lsn.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

/// $STRATA_BIN or the one that was built beside this test.
std::filesystem::path strata_binary();

struct http_reply {
  int status = 0;
  std::string body;
  std::string content_type;
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body); }
};

struct strata_options {
  std::filesystem::path directory{};     ///< empty: one of its own, removed with the object
  std::vector<std::string> arguments{};  ///< more words for `strata up`
};

/// A `strata up` in the foreground as a child of the test, and its clients: the command line and the management API.
/// Failures throw std::runtime_error with the server's log. The destructor ends the server and every Postgres that it
/// started, and removes what is left.
class strata_server {
 public:
  /// Starts nothing yet.
  explicit strata_server(strata_options options = {});
  ~strata_server();
  strata_server(const strata_server&) = delete;
  strata_server& operator=(const strata_server&) = delete;

  /// Returns when the server is ready.
  void start();
  /// More words for `strata up`, at the next start().
  void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }
  /// SIGTERM; throws when it does not end well.
  void stop();
  /// SIGKILL; returns when it is gone.
  void kill();
  [[nodiscard]] bool running();
  [[nodiscard]] pid_t pid() const { return server_ ? server_->pid() : -1; }

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] std::uint16_t http_port() const { return http_port_; }
  [[nodiscard]] std::uint16_t page_port() const { return page_port_; }
  [[nodiscard]] std::string log() const;

  /// The program with STRATA_DIR set.
  [[nodiscard]] command program(const std::vector<std::string>& arguments) const;
  finished cli(const std::vector<std::string>& arguments,
               std::chrono::milliseconds limit = std::chrono::minutes(3)) const;
  /// The same with --json behind; throws unless it ends with 0.
  nlohmann::json ask(std::vector<std::string> arguments) const;

  /// Any answer is an answer; throws when there is none.
  http_reply http(const std::string& method, const std::string& path, const std::string& body = {}) const;
  /// Throws unless the status is 2xx.
  nlohmann::json api(const std::string& method, const std::string& path, const nlohmann::json& body = nullptr) const;

  [[nodiscard]] std::string tenant_id(const std::string& source) const;
  /// The timeline as the API describes it.
  [[nodiscard]] nlohmann::json timeline(const std::string& source, const std::string& branch = "main") const;
  /// "/v1/tenant/<id>/timeline/<id>"
  [[nodiscard]] std::string timeline_path(const std::string& source, const std::string& branch = "main") const;
  [[nodiscard]] core::lsn lsn_of(const std::string& source, const std::string& field) const;

  /// `source add`, and waits until the branch main can be read.
  void add_source(const std::string& name, const std::string& conninfo);
  void wait_until_readable(const std::string& source, std::chrono::milliseconds limit = std::chrono::minutes(2)) const;
  /// Either spelling of a position at the edge of a WAL page will do.
  void wait_for_lsn(const std::string& source, core::lsn at,
                    std::chrono::milliseconds limit = std::chrono::minutes(2)) const;
  void set_options(const std::string& source, nlohmann::json options) const;

 private:
  void wait_until_ready();
  void end_processes(const std::string& folder, const std::string& file) const noexcept;
  void end_computes() noexcept;

  temp_dir home_;
  std::filesystem::path directory_;
  std::vector<std::string> arguments_;
  std::uint16_t http_port_ = 0;
  std::uint16_t page_port_ = 0;
  std::unique_ptr<process> server_;
};

/// Asks `happened` until it says true. Throws with `what` after the limit.
void wait_until(const std::string& what, const std::function<bool()>& happened,
                std::chrono::milliseconds limit = std::chrono::minutes(1));

/// The spelling without the header of the page that begins there.
core::lsn before_page_header(core::lsn at, std::uint64_t segment_size = 16u << 20);
/// Throws for what is no LSN.
core::lsn lsn_from(const std::string& text);

/// A Postgres that `strata compute start` runs on BRANCH or SOURCE/BRANCH.
class branch_compute {
 public:
  branch_compute(const strata_server& strata, std::string branch);
  ~branch_compute();
  branch_compute(const branch_compute&) = delete;
  branch_compute& operator=(const branch_compute&) = delete;

  [[nodiscard]] std::string conninfo(const std::string& database = "postgres") const;
  std::string value(const std::string& sql, const std::string& database = "postgres") const;
  void execute(const std::string& sql, const std::string& database = "postgres") const;
  /// A client program of Postgres, connected to it.
  finished run(const std::string& program, const std::vector<std::string>& arguments) const;

 private:
  const strata_server& strata_;
  std::string branch_;
  std::string host_;
  std::string port_;
  std::string user_;
};

}  // namespace strata::tests
