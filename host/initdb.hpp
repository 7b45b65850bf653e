#pragma once

#include <optional>
#include <string>

#include "core/result.hpp"
#include "host/account.hpp"

namespace strata::host {

struct initdb_request {
  std::string bin_directory;
  std::string directory;  ///< of the new cluster; empty or missing, and the account's if there is one
  std::string encoding;
  std::string locale;
  std::optional<account> run_as;
};

/// Runs initdb, with `postgres` as the superuser. errc::not_found without the program, errc::invalid_argument for an
/// encoding or locale that it refuses, errc::io_error with its message otherwise. What it has written stays then.
core::result<void> run_initdb(const initdb_request& request);

}  // namespace strata::host
