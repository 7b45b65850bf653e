#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "control/safekeeper_file.hpp"
#include "core/log.hpp"

namespace strata::cli {

/// What `strata safekeeper run` was asked for. Ports that are not given are those of the directory's safekeeper.json,
/// and free ones at the first start: the members of a timeline are known by host and port.
struct safekeeper_request {
  std::string directory;
  std::uint64_t id = 0;
  std::string listen_address = "127.0.0.1";
  std::optional<std::uint16_t> wal_port;
  std::optional<std::uint16_t> http_port;
  std::string broker;      ///< host:port; empty: none
  std::string tls;         ///< directory of the cluster's identity; needed with a broker
  std::string wal_backup;  ///< directory; empty: no object storage
  core::log_level log_level = core::log_level::info;
  std::string log_file;  ///< empty: standard error
};

/// Runs the safekeeper of a directory until SIGTERM or SIGINT, then stops it in order. Call on the main thread, before
/// any other thread runs. `ready` is called once everything answers and safekeeper.json is written. Throws a failure
/// when it can't start (conflict: another one has the directory, or it belongs to another id).
void run_safekeeper(const safekeeper_request& request,
                    const std::function<void(const control::safekeeper_file&)>& ready);

}  // namespace strata::cli
