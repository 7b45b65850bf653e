#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/postgres_cluster.hpp"
#include "tests/support/process.hpp"

namespace strata::tests {

/// Lines for postgresql.conf of a source whose history is compared.
std::vector<std::string> history_config();

/// pgbench with transactions of all kinds: savepoints, rollbacks, TOAST, sequences. Every one holds load_lock, so that
/// take_moment() can hold it up. The destructor ends it.
class history_load {
 public:
  /// Makes the tables; nothing runs yet.
  explicit history_load(postgres_cluster& source);
  void start(int transactions_per_second);
  /// Throws when pgbench had ended on its own.
  void stop();

 private:
  postgres_cluster& source_;
  std::vector<std::string> scripts_;
  std::unique_ptr<process> pgbench_;
};

/// What else happens on a source, in steps between which moments are taken: databases and tablespaces come and go,
/// vacuum, truncation, rewrites, prepared transactions, multixacts, and transactions that stay open over several
/// moments.
class history_steps {
 public:
  explicit history_steps(postgres_cluster& source);
  [[nodiscard]] std::size_t count() const { return steps_.size(); }
  void run(std::size_t step) { steps_.at(step)(); }

 private:
  void make_tables();
  void first_half();
  void second_half();
  void run_script(sql_session& session, const std::string& script);

  postgres_cluster& source_;
  sql_session main_;
  sql_session open_;  ///< a transaction that stays open
  sql_session other_;
  std::vector<std::function<void()>> steps_;
};

}  // namespace strata::tests
