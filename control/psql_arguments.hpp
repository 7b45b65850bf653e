#pragma once

#include <optional>
#include <string>
#include <vector>

namespace strata::control {

/// The effect of the user's arguments for psql.
struct psql_arguments {
  /// The word by which psql would leave the server that was named: "-h", "--port=1", "host=src dbname=shop"; and why.
  /// Database and role are free to choose.
  std::optional<std::string> leads_elsewhere;
  std::string why;
  /// Commands or a file are given: nobody types.
  bool is_script = false;
};

/// Reads them as psql does: clusters of short options, abbreviated long ones, values in the next word, a database and
/// a role as words of their own.
psql_arguments read_psql_arguments(const std::vector<std::string>& words);

/// "dev@shop:%> %/%R%x%# ": the prompt of a psql on a branch. The port is psql's own word: it changes with \connect.
std::string psql_prompt(const std::string& branch, const std::string& source);

}  // namespace strata::control
