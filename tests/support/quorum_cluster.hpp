#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/postgres_cluster.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {

struct quorum_options {
  std::vector<std::string> up_arguments{"--safekeepers", "3"};
  std::vector<std::string> source_config{"wal_level = replica"};
  /// Before the source is followed.
  std::function<void(postgres_cluster&)> prepare{};
};

/// `strata up --safekeepers 3` that follows a stock Postgres, with a branch `dev` whose compute's WAL goes to the
/// safekeepers: all of them processes of their own.
class quorum_cluster {
 public:
  explicit quorum_cluster(quorum_options options = {});
  ~quorum_cluster();

  [[nodiscard]] strata_server& strata() { return strata_; }
  [[nodiscard]] const strata_server& strata() const { return strata_; }

  /// Starts a compute on dev and makes it the one that conninfo() means.
  nlohmann::json start_compute(const std::string& name = "dev", const std::vector<std::string>& more = {});
  /// SIGKILL to the agent and every process of its Postgres, at once; returns when they are gone.
  void kill_compute(const std::string& name = "dev");
  /// As `strata compute list` has it.
  [[nodiscard]] nlohmann::json compute(const std::string& name = "dev") const;
  [[nodiscard]] std::string conninfo() const;

  [[nodiscard]] std::filesystem::path safekeeper_directory(int id) const;
  /// Its own management API; throws unless the status is 2xx. What is not JSON comes as a text.
  [[nodiscard]] nlohmann::json safekeeper_api(int id, const std::string& method, const std::string& path) const;
  /// The process that runs safekeeper `id` now.
  [[nodiscard]] pid_t safekeeper(int id) const;
  void signal_safekeeper(int id, int signal) const;
  /// Returns when safekeeper `id` answers again, as a process other than `before`.
  void wait_for_new_safekeeper(int id, pid_t before) const;

 private:
  postgres_cluster source_;
  strata_server strata_;
  mutable std::mutex mutex_;
  std::string conninfo_;
};

}  // namespace strata::tests
