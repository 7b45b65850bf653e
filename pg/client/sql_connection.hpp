#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace strata::pg::client {

/// Empty for NULL.
using sql_value = std::optional<std::string>;
using sql_row = std::vector<sql_value>;

/// "name" as SQL takes it, whatever is in it.
std::string quoted_name(std::string_view name);
/// 'text' as SQL takes it with standard_conforming_strings on.
std::string quoted_literal(std::string_view text);

/// A connection for SQL. Calls block. Errors are the server's primary message, detail and hint, with the code of what
/// the caller may do: permission_denied, conflict (data that violate a constraint, a lock that was not given in time),
/// unavailable (no connection), not_found (no such database or relation), else io_error. No error contains a password.
/// The socket is closed when this process executes another program.
class sql_connection {
 public:
  /// `database` is for a connection string that names none. The whole attempt takes at most the connect_timeout of the
  /// connection string for each address, 10 s unless it has one.
  static core::result<sql_connection> open(const std::string& conninfo, const std::string& database = "");
  sql_connection(sql_connection&&) noexcept;
  sql_connection& operator=(sql_connection&&) noexcept;
  ~sql_connection();

  /// From now on query() and execute() fail with errc::timeout when the server has not answered after `each`; the
  /// connection is of no more use then. Without it they wait for ever.
  void limit_waits(std::chrono::milliseconds each);

  core::result<std::vector<sql_row>> query(const std::string& sql, const std::vector<sql_value>& parameters = {});
  /// One or several statements, whose rows are dropped.
  core::result<void> execute(const std::string& sql);
  /// COMMIT. errc::timeout when the answer did not come in `limit`: call again to wait for it. errc::outcome_unknown
  /// when the connection is lost meanwhile.
  core::result<void> commit(std::chrono::milliseconds limit);

  /// COPY ... TO STDOUT in text format.
  core::result<void> begin_copy_out(const std::string& sql);
  /// The next line of it, valid until the next call; null at the end.
  core::result<std::optional<std::string_view>> next_line();
  /// COPY ... FROM STDIN in text format. What was put is known to be good when end_copy_in() has returned.
  core::result<void> begin_copy_in(const std::string& sql);
  core::result<void> put_line(std::string_view line);
  core::result<void> end_copy_in();

  /// SQLSTATE of the last error; empty if it did not come from the server.
  [[nodiscard]] const std::string& sqlstate() const;
  /// 150020 is 15.20.
  [[nodiscard]] int server_version() const;
  [[nodiscard]] std::string database() const;
  [[nodiscard]] std::string user() const;
  /// A parameter that the server reports: "server_encoding".
  [[nodiscard]] std::string parameter(const char* name) const;

 private:
  struct implementation;
  explicit sql_connection(std::unique_ptr<implementation> of);
  std::unique_ptr<implementation> implementation_;
};

}  // namespace strata::pg::client
