#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/scope.hpp"
#include "core/lsn.hpp"

namespace strata::control {

struct recover_request {
  std::string table;   ///< [[DB.]SCHEMA.]TABLE@WHEN
  std::string target;  ///< the living database: BRANCH, a compute's name, or the URI of any Postgres
  std::string from;    ///< the branch whose past is read; empty: the target's, of a URI main
  std::string into;    ///< [SCHEMA.]NAME; empty: as it was called
  bool data_only = false;
  bool indexes = true;
  bool constraints = true;
  bool replace = false;
  bool cascade = false;  ///< what depends on the replaced table goes with it
};

struct recovered_table {
  std::string branch;    ///< SOURCE/BRANCH that was read
  core::lsn at;          ///< as it was there
  std::string database;  ///< of the target
  std::string table;
  std::string into;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;  ///< as COPY's text
  bool replaced = false;
  std::vector<std::string> notes;  ///< what was left out, or is otherwise than it was
};

/// Copies a table as it was into a living database, in one transaction: what ends this before its commit leaves the
/// target as it was. The past is read through a temporary compute, which fetches only the pages that are touched.
/// Nothing is replaced unless it is asked for.
recovered_table recover_table(const scope& of, const recover_request& asked);

}  // namespace strata::control
