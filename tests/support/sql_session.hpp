#pragma once

#include <optional>
#include <string>
#include <vector>

namespace strata::tests {

/// A column is empty for NULL.
using sql_row = std::vector<std::optional<std::string>>;

/// One connection to a Postgres. Every failure throws std::runtime_error with the server's message.
class sql_session {
 public:
  explicit sql_session(const std::string& conninfo);
  ~sql_session();
  sql_session(const sql_session&) = delete;
  sql_session& operator=(const sql_session&) = delete;

  /// The rows of the last statement in `sql`.
  std::vector<sql_row> query(const std::string& sql);
  /// The one column of the one row; throws when there is anything else, or NULL.
  std::string value(const std::string& sql);
  void execute(const std::string& sql) { query(sql); }

 private:
  void* connection_ = nullptr;  // PGconn, which only the source knows
};

}  // namespace strata::tests
