#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "host/forced_settings.hpp"
#include "host/postgres_process.hpp"

namespace strata::host {

/// New settings in one request, at most; and the length of a line, in bytes.
inline constexpr std::size_t settings_max = 1000;
inline constexpr std::size_t setting_size_max = 16u << 10;

/// Lines of --set, refused (errc::invalid_argument, naming the line) where they are given: what is no setting, what is
/// not for the user to choose, and, unless armed, libraries whose workers act on other servers.
core::result<void> check_settings(const std::vector<std::string>& lines, bool armed);

/// Has Postgres itself read the configuration as it would be with these lines, without touching that of the server
/// that runs: errc::invalid_argument with its reason. Takes tens of milliseconds, and blocks. What only a start shows
/// (a library that is missing, settings that contradict each other) is not found.
core::result<void> try_settings(const postgres_options& of, const std::vector<std::string>& lines);

struct applied_settings {
  std::vector<std::string> need_restart;  ///< names among the old and the new lines, in force after a restart only
  std::vector<overruled_setting> overridden;
};
/// Puts `lines` in the place of `before` and has the server read its files again; returns when it has. After an error
/// `before` is in force. Blocks, each wait at most for `limit`. `conninfo` is for one session of the superuser.
core::result<applied_settings> apply_settings(const postgres_options& of, const std::string& conninfo,
                                              const std::vector<std::string>& before,
                                              const std::vector<std::string>& lines, std::chrono::milliseconds limit);

}  // namespace strata::host
