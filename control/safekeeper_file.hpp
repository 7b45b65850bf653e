#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consensus/membership.hpp"
#include "core/instance_id.hpp"
#include "core/result.hpp"

namespace strata::control {

/// <directory>/safekeeper.json of a safekeeper's directory: where it is reached (docs/formats/directory.md). Stays when
/// the process ends: the addresses and the instance are chosen once and then kept.
struct safekeeper_file {
  pid_t pid = 0;  ///< 0: not ready yet, for the first time
  std::uint64_t id = 0;
  std::string wal;  ///< host:port
  std::string http;
  std::string version;
  std::string started;
  core::instance_id instance;  ///< not valid: written by a version that had none
  /// Every WAL address it had, the present one too, oldest first: timelines' configurations name it by any of them.
  std::vector<std::string> addresses;
};

/// errc::not_found when there is none, errc::corrupt when it is not what we write: id and instance have a checksum.
core::result<safekeeper_file> read_safekeeper_file(const std::string& directory);
/// Durable on return.
core::result<void> write_safekeeper_file(const std::string& directory, const safekeeper_file& of);

/// Adds the present address to those it had.
void remember_address(safekeeper_file& of);
/// Whether timelines are kept in the directory, or were: then it can't be taken for a new one.
bool keeps_timelines(const std::string& directory);

/// What the directory was used as before; nullopt: it is new. A failure when it belongs to another safekeeper, or keeps
/// WAL and has lost its file.
std::optional<safekeeper_file> safekeeper_used_before(const std::string& directory, std::uint64_t id);

inline constexpr std::uint64_t safekeepers_max = 9;

/// <server's directory>/safekeepers/<id>.
std::string safekeeper_directory(const std::string& server_directory, std::uint64_t id);
/// The ids that have a directory, ascending.
std::vector<std::uint64_t> known_safekeepers(const std::string& server_directory);
/// The process that holds a safekeeper's directory now.
std::optional<pid_t> safekeeper_process(const std::string& server_directory, std::uint64_t id);
/// All known ones that have ever been ready, whether they run now or not: whom a new timeline can be given to.
std::vector<consensus::member> safekeeper_members(const std::string& server_directory);

}  // namespace strata::control
