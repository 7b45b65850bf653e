#pragma once

#include <string>

#include "core/result.hpp"

namespace strata::host {

/// Where to look for the programs of Postgres, the first first. Empty ones are left out.
struct install_search {
  std::string given;        ///< directories that the user named, separated by ':'
  std::string environment;  ///< STRATA_PG_BIN, the same
  std::string path;         ///< PATH
};

/// The first directory with `postgres` of that major version: of those named, else where packages put it, else of PATH.
/// errc::not_found says where it looked and what to install.
core::result<std::string> find_postgres(int major, const install_search& where);

/// The same list with absolute paths. errc::not_found names the first directory without a program `postgres`.
core::result<std::string> check_directories(const std::string& list);

/// 15 from "postgres (PostgreSQL) 15.9 (Debian 15.9-0+deb12u1)"; errc::invalid_argument for other texts.
core::result<int> parse_postgres_version(const std::string& text);

}  // namespace strata::host
