#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace strata::config {

using namespace std::chrono_literals;

/// How one tenant's timelines keep their history. Names are those of Neon's pageserver.
struct tenant_options {
  /// WAL bytes, or bytes held in memory, after which the open layer is frozen.
  std::uint64_t checkpoint_distance_bytes = 128u << 20;
  /// Age of the oldest unwritten data after which the open layer is frozen although nothing new arrives.
  std::chrono::milliseconds checkpoint_timeout = 10min;
  /// L0 layers that start a compaction.
  std::uint32_t compaction_threshold = 8;
  /// Size at which compaction cuts its output layers.
  std::uint64_t compaction_target_bytes = 128u << 20;
  std::chrono::milliseconds compaction_period = 20s;
  /// Delta layers over a key range that make compaction write image layers.
  std::uint32_t image_creation_threshold = 3;
  /// History kept behind the head, in WAL bytes. 0 switches garbage collection off.
  std::uint64_t gc_horizon_bytes = 64u << 20;
  std::chrono::milliseconds gc_period = 1h;
  /// History kept behind the head, in time.
  std::chrono::milliseconds pitr_interval = std::chrono::hours(24 * 7);
  std::chrono::milliseconds lsn_lease_length = 10min;
};

/// One server process.
struct server_options {
  std::string directory;
  std::string listen_address = "127.0.0.1";
  std::uint16_t http_port = 0;  ///< 0: any free port, written to <directory>/server.json
  std::uint16_t page_port = 0;
  std::uint16_t broker_port = 0;  ///< 0: any free port, chosen once and then kept: safekeepers that run know it
  /// Processes on this machine that keep the WAL of branches (actors/safekeeper). Never fewer than the directory has.
  std::uint32_t safekeepers = 0;
  std::string pg_bin;  ///< directories separated by ':', looked in before the usual places
  /// Blocks of layer files kept in memory, over all tenants.
  std::uint64_t block_cache_bytes = 128u << 20;
  /// Open layer files, over all tenants.
  std::uint32_t open_layers_max = 512;
  /// How long a read waits for WAL that has not arrived.
  std::chrono::milliseconds wait_lsn_timeout = 60s;
  /// Connections of the page service.
  std::uint32_t page_connections_max = 1024;
  tenant_options tenant_defaults;
};

}  // namespace strata::config
