#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/log.hpp"

namespace strata::cli {

/// What `strata safekeeper run` was asked for. What is not given is taken from the directory's safekeeper.toml, where
/// it is kept from the first start on: the members of a timeline are known by host and port.
struct safekeeper_request {
  std::string directory;
  std::optional<std::uint64_t> id;
  std::optional<std::string> listen_address;  ///< 127.0.0.1
  std::optional<std::uint16_t> wal_port;      ///< 0: a free one, chosen once
  std::optional<std::uint16_t> http_port;     ///< likewise
  std::string broker;                         ///< host:port; empty: none
  std::string tls;                            ///< directory of the cluster's identity
  std::string wal_backup;                     ///< directory; empty: no object storage
  core::log_level log_level = core::log_level::info;
  std::string log_file;  ///< empty: standard error
};

/// <directory>/safekeeper.json: where the safekeeper is reached, while it runs.
struct safekeeper_file {
  int pid = 0;
  std::uint64_t id = 0;
  std::string wal;  ///< host:port
  std::string http;
  std::string version;
  std::string started;
};

/// Runs the safekeeper of a directory until SIGTERM or SIGINT, then stops it in order. Call on the main thread, before
/// any other thread runs. `ready` is called once everything answers and safekeeper.json is written. Throws a failure
/// when it can't start (conflict: another one has the directory, or it belongs to another id).
void run_safekeeper(const safekeeper_request& request, const std::function<void(const safekeeper_file&)>& ready);

}  // namespace strata::cli
