#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "actors/pageserver/quorum/safekeeper_reconciler.hpp"
#include "actors/pageserver/tenant_manager.hpp"
#include "actors/runtime/housekeeping.hpp"
#include "messages/tenant.hpp"
#include "storage/key_space.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "storage/write_batch.hpp"
#include "tests/support/deterministic_system.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

/// What a test knows of a source it plays itself.
struct played_source {
  std::vector<actors::pageserver::wal_receiver_options> receivers;  ///< as they were started, the newest last
  std::vector<actors::pageserver::wal_receiver_actor> receiver_actors;
  std::vector<std::string> dropped_slots;
  std::optional<core::error> refuses;  ///< what every request fails with
  bool slot_existed = false;
  int resumed = 0;  ///< times that a receiver was told to follow again
};

actors::pageserver::wal_receiver_actor spawn_played_receiver(caf::actor_system& system,
                                                             actors::pageserver::wal_receiver_options options,
                                                             played_source& source);
actors::pageserver::source_request_actor spawn_played_request(caf::actor_system& system,
                                                              actors::runtime::actor_label label,
                                                              played_source& source);

/// What a test knows of safekeepers that it plays itself: their side of safekeeper_access.
struct played_safekeepers {
  struct keeper {
    core::instance_id instance = core::make_id<core::instance_id>();
    bool up = true;
    bool answers = true;  ///< false: it does what it is asked, and nobody hears of it
    std::set<core::timeline_id> has;
    std::set<core::timeline_id> deleted;
    int made = 0;  ///< times that it was asked to make a timeline, heard or not

    /// Its directory is another one.
    void empty() { instance = core::make_id<core::instance_id>(), has.clear(), deleted.clear(); }
  };
  std::map<std::uint64_t, keeper> all;

  actors::pageserver::safekeeper_access access();
};

/// A server's directory; outlives its actors.
struct server_disk {
  temp_dir directory;
  std::unique_ptr<storage::metadata_store> metadata;
  std::unique_ptr<storage::layer_cache> layers;
};

/// A pageserver without its network: real tenants, timelines and files, sources played by the test, time and scheduling
/// in the test's hand.
struct pageserver_fixture : server_disk, deterministic_system {
  pageserver_fixture();
  ~pageserver_fixture() { stop_server(); }

  void start_server();
  /// In order, as on SIGTERM.
  void stop_server();
  void restart_server() {
    stop_server();
    start_server();
  }

  /// Adds a source and imports one page (block 0) at `start`.
  messages::source_added add(const std::string& name, core::lsn start = core::lsn(0x1000));
  void finish_import(core::lsn start);

  /// A version of a block at `at`, handed to the newest receiver's timeline.
  auto write(std::uint32_t block, core::lsn at, std::uint8_t fill) {
    return ask(source.receivers.back().timeline, actors::pageserver::ingest_batch{batch(block, at, fill)});
  }
  static std::shared_ptr<storage::write_batch> batch(std::uint32_t block, core::lsn at, std::uint8_t fill);
  static core::page_key page(std::uint32_t block);
  static core::bytes filled(std::uint8_t with) { return core::bytes(pg::page_size, with); }

  messages::timeline_opened open(const messages::source_added& of, const core::timeline_id& timeline);
  /// The byte a block is filled with, as of an LSN; -1 when it can't be read.
  static int read(const storage::timeline_store& store, std::uint32_t block, core::lsn at);
  messages::timeline_info info(const core::tenant_id& tenant, const core::timeline_id& timeline);
  std::string timeline_directory(const core::tenant_id& tenant, const core::timeline_id& timeline) const;

  played_source source;
  played_safekeepers safekeepers;
  std::map<consensus::node_id, core::lsn> flushed;       ///< what safekeepers say of any timeline
  config::tenant_options defaults{.pitr_interval = {}};  ///< history by its WAL alone
  std::shared_ptr<actors::pageserver::tenant_files> files;
  actors::runtime::housekeeping_actor housekeeping;
  actors::pageserver::owned_reconciler_actor reconciler;
  messages::tenant_manager_actor manager;
};

}  // namespace strata::tests
