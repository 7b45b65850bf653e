#pragma once

#include <string>
#include <vector>

#include "tests/support/postgres_cluster.hpp"

namespace strata::tests {

/// What happens on a source of any major, in three parts between which moments are taken: indexes of all types, TOAST,
/// sequences, databases that come and go, subtransactions, multixacts, an open and a prepared transaction.
class major_history {
 public:
  explicit major_history(postgres_cluster& source);

  void before_the_backup();
  /// Ends with 'kept' prepared and a transaction open.
  void first_half();
  /// Ends with 'kept' still prepared.
  void second_half();
  void ending();

 private:
  void make_databases();
  void make_multixacts();
  void vacuum();

  postgres_cluster& source_;
  sql_session main_;
  sql_session other_;
  sql_session open_;
};

/// What the indexes of that history say against a scan of the table, and what amcheck says of them; empty when they
/// agree.
std::vector<std::string> index_errors(sql_session& session);

}  // namespace strata::tests
