#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/recover_table_catalog.hpp"
#include "control/recover_table_past.hpp"
#include "control/reporter.hpp"
#include "pg/client/sql_connection.hpp"

namespace strata::control {

/// A table of the target.
struct living_table {
  relation found;
  std::vector<std::string> tree;
  std::vector<table_column> columns;
  std::vector<object_name> objects;
  std::vector<dependent> dependents;
};
/// A failure when the server takes no writes, or the schema does not exist. None: there is no table of that name.
std::optional<living_table> read_living_table(pg::client::sql_connection& living, const table_name& name);

/// Everything between BEGIN and COMMIT at the target. Until commit() has returned nothing is changed there, however
/// this process ends.
class target_transaction {
 public:
  /// `shown`: of the target, for messages.
  target_transaction(pg::client::sql_connection& living, std::string shown);

  void require(const std::string& statement, const std::string& doing);
  /// A failure for the error of what was done on connection().
  void check(const core::result<void>& done, const std::string& doing);
  /// In a savepoint: what does not succeed is left out, with a note.
  void attempt(const std::string& statement);
  void add_foreign_key(const foreign_key& key);
  void replace(const table_name& old, bool cascade, const std::vector<object_name>& by);
  /// Signals that end the command wait for the answer, at most a minute.
  void commit(reporter& report);

  [[nodiscard]] pg::client::sql_connection& connection() { return living_; }
  [[nodiscard]] std::vector<std::string>& notes() { return notes_; }

 private:
  [[noreturn]] void fail(const core::error& why, const std::string& doing);
  /// Whether it succeeded; its error otherwise.
  core::result<void> in_savepoint(const std::string& statement);

  pg::client::sql_connection& living_;
  std::string shown_;
  std::vector<std::string> notes_;
};

struct copied_rows {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};
/// Copies what `select` returns into `table` (`columns`), both quoted. Memory does not grow with the table.
copied_rows copy_rows(pg::client::sql_connection& past, const std::string& select, target_transaction& into,
                      const std::string& table, const std::string& columns, const table_size& expected,
                      reporter& report);

/// Raises the sequences of the columns of a table that exists to where they were, if they are before that.
void raise_sequences(pg::client::sql_connection& past, const std::string& past_table, target_transaction& into,
                     const std::string& table, const std::vector<std::string>& columns);

}  // namespace strata::control
