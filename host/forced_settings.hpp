#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace strata::host {

/// By what a Postgres on a copy of somebody's data would act on other servers by itself: workers of its subscriptions
/// take the publisher's slots, and what they fetch never reaches the subscriber that they belong to. As "name=value"
/// for the command line (decision 32).
std::vector<std::string> unarmed_settings();

/// The library in a line for postgresql.conf that brings background workers which act on other servers.
std::optional<std::string> armed_library_in(std::string_view line);

/// Whether a line has Postgres read other files; with or without "=".
bool includes_files(std::string_view line);

/// Whether a line makes Postgres 18 use io_uring, which a connection_block denies: Postgres would not start.
bool asks_for_io_uring(std::string_view line);
/// The same, of a name in the value of a setting that lists libraries.
std::optional<std::string> armed_library(std::string_view name);
/// The libraries in such a value, without their quotes.
std::vector<std::string> libraries_in(std::string_view value);

/// "work_mem" and "64MB" of "Work_Mem = '64MB'  # enough"; nullopt for a line that sets nothing.
struct setting {
  std::string name;
  std::string value;
};
std::optional<setting> parse_setting(std::string_view line);

/// Whether it can be a line of a compute's postgresql.conf: errc::invalid_argument for one that is not NAME = VALUE,
/// and for the settings that say where its files are, which are not for others to choose.
core::result<void> check_setting(std::string_view line);

/// Those of `lines` that say something else than what is forced as "name=value", or than the last line of
/// `overriding`, which Postgres reads later (postgresql.auto.conf): "fsync = on" -> "fsync=off".
struct overruled_setting {
  std::string line;
  std::string by;
};
std::vector<overruled_setting> overruled(const std::vector<std::string>& lines, const std::vector<std::string>& forced,
                                         const std::vector<std::string>& overriding = {});

/// What a Postgres runs with that reads a branch as of one LSN, in a directory that is thrown away with it.
std::vector<std::string> read_only_settings();

}  // namespace strata::host
