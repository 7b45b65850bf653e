#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/result.hpp"

namespace strata::control {

/// <directory>/server.json: where the server is reached, while it runs (docs/formats/directory.md).
struct server_file {
  pid_t pid = 0;
  std::string http;  ///< host:port
  std::string page;
  std::string version;
  std::string pg_bin;
  std::string started;
  std::string broker;  ///< where safekeepers reach it; empty: it has none
  std::string key;     ///< new with each start: proves to the API that a client can read the server's files
};

/// server_file::key of this process: 32 random hex digits.
const std::string& server_key();

/// errc::not_found when there is none.
core::result<server_file> read_server_file(const std::string& directory);
/// The whole file or none is there afterwards.
core::result<void> write_server_file(const std::string& directory, const server_file& of);
void remove_server_file(const std::string& directory);

/// <directory>/<name>.port: the port that the directory has for `http`, `page` or `broker`, kept over restarts; 0:
/// none. errc::corrupt, naming the file, if it contains anything else.
core::result<std::uint16_t> kept_port(const std::string& directory, const std::string& name);
core::result<void> keep_port(const std::string& directory, const std::string& name, std::uint16_t port);

/// Held by the server of a directory as long as it lives, also when it is killed: the kernel lets go of it.
class directory_lock {
 public:
  /// errc::conflict names the process that has it.
  static core::result<directory_lock> take(const std::string& directory);
  /// Takes it when its holder has ended, within `limit`.
  static core::result<directory_lock> wait_for(const std::string& directory, std::chrono::milliseconds limit);
  /// The process that has it; nullopt when none.
  static std::optional<pid_t> holder(const std::string& directory);

  directory_lock(directory_lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  directory_lock& operator=(directory_lock&&) = delete;
  ~directory_lock();

 private:
  explicit directory_lock(int file) : file_(file) {}
  int file_;
};

}  // namespace strata::control
