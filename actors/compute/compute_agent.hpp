#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/compute/wal_feed.hpp"
#include "actors/compute/wal_proposer.hpp"
#include "consensus/messages.hpp"
#include "core/result.hpp"
#include "host/account.hpp"
#include "host/registry.hpp"
#include "host/standby.hpp"
#include "page_files/guarded_directory.hpp"

namespace strata::actors::compute {

/// The branch, from the server of its pages.
struct branch_quorum {
  consensus::configuration members;
  consensus::cluster_identity cluster;
  core::lsn timeline_start;
};

struct standby_directory {
  std::shared_ptr<const page_files::guarded_directory> pages;
  follow_from stream;
};

/// The agent's access to the server that has the branch. All calls block and are made on threads that may.
struct branch_server {
  /// Assigns safekeepers to the branch if it has none.
  std::function<core::result<branch_quorum>()> quorum;
  std::function<core::result<core::lsn>()> last_record_lsn;
  /// Restores the branch as of `at` in `directory`, ready for a start exactly there. `progress`: bytes so far.
  std::function<core::result<void>(core::lsn at, const std::string& directory,
                                   const std::function<void(std::uint64_t)>& progress)>
      restore;
  /// The same but for the pages of relations, which are filled in when first touched (host::page_mode).
  std::function<core::result<std::shared_ptr<const page_files::guarded_directory>>(
      core::lsn at, const std::string& directory, const std::function<void(std::uint64_t)>& progress)>
      restore_guarded;
  /// Of a standby: where it would begin now; its directory, without pages unless they are copied (then `pages` is
  /// null), and what its WAL feed must know; an upstream for the feed.
  std::function<core::result<strata::host::standby_place>()> standby_start;
  std::function<core::result<standby_directory>(const strata::host::standby_place& from, const std::string& directory,
                                                const std::function<void(std::uint64_t)>& progress)>
      restore_standby;
  std::function<core::result<strata::host::wal_upstream>(std::uint32_t attempt)> find_upstream;
  /// Starts a filler of such a directory; keeps an LSN readable, for as long as the result says.
  std::function<core::result<pid_t>(const page_files::guarded_directory& of, core::lsn at)> start_filler;
  std::function<core::result<std::chrono::milliseconds>(core::lsn at)> lease;
  /// Takes away what a filler has mounted on a data directory.
  std::function<core::result<void>(const std::string& directory)> remove_mount;
  locate_safekeeper locate;  ///< null: the safekeepers have the configuration's addresses
};

struct compute_agent_options {
  strata::host::compute_record record;
  std::optional<strata::host::account> run_as;
  std::string status_directory;  ///< gets compute-agent.json
  branch_server server;
  /// How long a transaction with a cancelled wait may be visible before it is durable.
  std::chrono::milliseconds cancelled_wait_limit{5000};
  std::chrono::milliseconds stop_limit{60'000};
};

/// Runs one Postgres on one branch for as long as its term lasts (compute_lifecycle.hpp) and writes its state to
/// compute-agent.json. Told to exit it stops Postgres, which waits until everything is acknowledged, and ends. It ends
/// by itself when its work is over; compute-agent.json has the reason. Postgres never outlives the process of this
/// actor.
proposer_owner_actor spawn_compute_agent(caf::actor_system& system, compute_agent_options options);

}  // namespace strata::actors::compute
