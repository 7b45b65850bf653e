#include "host/standby_settings.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>

#include "host/local_position.hpp"
#include "io/sockets.hpp"

namespace strata::host {
namespace {

/// In the name of the socket, for libpq; no Postgres of ours has this port.
constexpr std::uint16_t feed_port = 1;

}  // namespace

std::vector<std::string> standby_settings(const std::string& socket_directory, int major) {
  std::vector<std::string> made{
      "hot_standby=on",
      "primary_conninfo=" + replication_conninfo(socket_directory, feed_port, "strata"),
      "primary_slot_name=",
      "wal_receiver_create_temp_slot=off",
      "wal_receiver_status_interval=1s",
      "wal_retrieve_retry_interval=200ms",
      "restore_command=",
      // It follows the head, and nothing else.
      "recovery_target=",
      "recovery_target_lsn=",
      "recovery_target_name=",
      "recovery_target_time=",
      "recovery_target_xid=",
      "hot_standby_feedback=off",
      "synchronous_standby_names=",
      "restart_after_crash=off",
      "fsync=off",
      "full_page_writes=off",
      "archive_mode=off",
      // The log is watched for settings that the writer has outgrown (log_watch.hpp).
      "log_destination=stderr",
      "logging_collector=off",
      "log_min_messages=warning",
      "lc_messages=C",
  };
  // A server in recovery accepts the tablespaces of its directory with this only. Not all of 14 have it.
  if (major >= 15) made.emplace_back("allow_in_place_tablespaces=on");
  return made;
}

core::result<io::unique_fd> listen_for_standby(const std::string& socket_directory) {
  std::error_code failure;
  std::filesystem::create_directories(socket_directory, failure);
  if (failure) return core::from_errno("make " + socket_directory, failure.value());
  if (::chmod(socket_directory.c_str(), 0700) != 0) return core::from_errno("chmod " + socket_directory, errno);
  return io::listen_unix(socket_directory + "/.s.PGSQL." + std::to_string(feed_port));
}

}  // namespace strata::host
