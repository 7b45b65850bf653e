#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace strata::host {

/// A user to run a program as.
struct account {
  std::string name;
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
  std::string home;
};

/// Whom Postgres must run as: nobody in particular unless this process is root, which Postgres refuses; then
/// `postgres`, or else `nobody`. Looked up once in a process.
core::result<std::optional<account>> postgres_account();

/// Whether every directory on the way to `path` (which need not exist) lets the account through.
bool can_reach(const account& who, const std::string& path);

/// Makes everything below and including `path` the account's. Links are not followed.
core::result<void> give(const account& to, const std::string& path);

}  // namespace strata::host
