#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "host/account.hpp"
#include "host/program.hpp"

namespace strata::host {

/// What the user of an earlier incarnation has written; below what Strata writes and forces.
struct user_settings {
  std::string auto_conf;               ///< postgresql.auto.conf
  std::vector<std::string> hba_lines;  ///< rules after those that let Strata in and before the defaults
  std::vector<std::string> ident_lines;
};

/// One Postgres on one data directory.
struct postgres_options {
  std::string bin_directory;
  std::string data_directory;
  std::string socket_directory;
  std::uint16_t port = 0;
  std::string log_file;
  std::optional<account> run_as;
  /// `run_as` owns what is in the data directory already; otherwise every start gives it all of that.
  bool owns_directory = false;
  std::chrono::milliseconds start_limit = std::chrono::minutes(2);
  /// "name=value", given on the command line: neither postgresql.conf nor ALTER SYSTEM can change them.
  std::vector<std::string> forced{};
  /// Lines for postgresql.conf, before those of a request (write_settings).
  std::vector<std::string> conf_lines{};
  /// The one user who may replicate, and over the socket only. Empty: every user who gets in that way.
  std::string replication_user{};
  /// It stops at once (SIGQUIT) when the thread that started it ends, however it ends.
  bool ends_with_starter = false;
  /// It may act on other servers by itself (forced_settings.hpp).
  bool armed = false;
  /// Open files that it and every process of it hold (program::inherited).
  std::vector<inherited_file> inherited{};
  user_settings user_text{};
};

/// All that is given on the command line: `forced`, the port and the socket's directory, without which it could not be
/// found again, and unless it is armed what keeps it quiet.
std::vector<std::string> all_forced(const postgres_options& of);

/// Longest directory for a Unix socket: the kernel takes 107 bytes, ".s.PGSQL.65535" included.
inline constexpr std::size_t socket_directory_max = 91;

/// Writes what a branch's Postgres needs behind postgresql.conf and over pg_hba.conf: its port and sockets, nothing
/// that a throw-away copy can do without; local connections are trusted (the socket directory is its owner's alone),
/// loopback TCP asks for a password. `settings` ("work_mem = 64MB"), those of a request, come last and win over all but
/// what is forced and ALTER SYSTEM (user_text). The files are `run_as`'s afterwards.
core::result<void> write_settings(const postgres_options& of, const std::vector<std::string>& settings);

/// The same for a data directory that it was done for before: the settings of the last request are replaced by these,
/// and nothing else is touched, ALTER SYSTEM, pg_hba.conf and what a user wrote into postgresql.conf among it.
core::result<void> replace_settings(const postgres_options& of, const std::vector<std::string>& settings);

/// What replace_settings() writes into postgresql.conf.
core::result<std::string> settings_text(const postgres_options& of, const std::vector<std::string>& settings);

/// Of a postgresql.conf, without the settings of a request.
std::string without_given_settings(const std::string& text);

/// The lines of ALTER SYSTEM.
std::vector<std::string> altered_settings(const std::string& data_directory);

/// Starts it detached from this process and returns when it accepts connections. When it ends instead, the error has
/// the last lines of its log.
core::result<pid_t> start_postgres(const postgres_options& of);

/// Immediate shutdown: nothing is written, no session is waited for; after `limit` SIGKILL, also of the processes that
/// a killed postmaster has left. For a server whose data nobody will look at again.
core::result<void> abandon_postgres(const std::string& data_directory,
                                    std::chrono::milliseconds limit = std::chrono::seconds(2));

/// Fast shutdown: sessions are ended, everything is written. After `limit` an immediate one.
core::result<void> stop_postgres(const std::string& data_directory,
                                 std::chrono::milliseconds limit = std::chrono::seconds(60));

/// Where the files are that a data directory shows, when it is a mount (page_mode::fuse).
inline std::string files_behind(const std::string& data_directory) { return data_directory + ".files"; }

/// The server that runs on a data directory. Does not wait for a mount there.
std::optional<pid_t> running_postgres(const std::string& data_directory);

}  // namespace strata::host
