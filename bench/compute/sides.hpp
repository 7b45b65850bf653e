#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/postgres_cluster.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::bench {

/// The same Postgres on a plain local directory, which `strata export main` made.
class plain_postgres {
 public:
  /// Starts it with these lines in its postgresql.conf.
  plain_postgres(const tests::strata_server& strata, const std::vector<std::string>& config);

  [[nodiscard]] tests::postgres_cluster& cluster() { return *cluster_; }
  [[nodiscard]] const std::filesystem::path& data_directory() const { return cluster_->data_directory(); }
  /// Over its socket, as those of computes.
  [[nodiscard]] const std::string& conninfo() const { return conninfo_; }

 private:
  tests::temp_dir home_;
  std::string conninfo_;
  std::unique_ptr<tests::postgres_cluster> cluster_;
};

/// A branch of main's head from its creation to its deletion.
class made_branch {
 public:
  made_branch(const tests::strata_server& strata, std::string name);
  ~made_branch();
  made_branch(const made_branch&) = delete;
  made_branch& operator=(const made_branch&) = delete;

 private:
  const tests::strata_server& strata_;
  const std::string name_;
};

/// A compute from its start to its removal.
class started_compute {
 public:
  /// `words` come behind `strata compute start BRANCH --name NAME`, `config` as `--set`.
  started_compute(const tests::strata_server& strata, const std::string& branch, const std::string& name,
                  std::vector<std::string> words = {}, const std::vector<std::string>& config = {});
  ~started_compute();
  started_compute(const started_compute&) = delete;
  started_compute& operator=(const started_compute&) = delete;

  [[nodiscard]] const std::string& conninfo() const { return conninfo_; }
  [[nodiscard]] const std::filesystem::path& data_directory() const { return data_directory_; }
  /// As `compute list` has it now.
  [[nodiscard]] nlohmann::json description() const;
  [[nodiscard]] double missing_megabytes() const;
  /// With fanotify: returns the seconds that it took until no file needs its filler any more.
  double wait_until_complete() const;

 private:
  const tests::strata_server& strata_;
  std::string name_;
  std::string conninfo_;
  std::filesystem::path data_directory_;
};

/// As `compute list` has it; throws when there is none of this name.
nlohmann::json compute_named(const tests::strata_server& strata, const std::string& name);

/// Reads all files below a directory once.
void read_all(const std::filesystem::path& directory);
/// Writes back what is below a directory, and drops it from the kernel's cache.
void evict(const std::filesystem::path& directory);

/// Names of settings in which two servers differ, but for those that say where a server is.
std::string different_settings(const std::string& conninfo, const std::string& other);

}  // namespace strata::bench
