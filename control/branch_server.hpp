#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/api_client.hpp"
#include "consensus/membership.hpp"
#include "consensus/messages.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "host/registry.hpp"
#include "host/standby.hpp"
#include "page_files/guarded_directory.hpp"
#include "pg/files/standby_view.hpp"

namespace strata::control {

/// The quorum of a branch, as its server reports it.
struct assigned_quorum {
  consensus::configuration members;
  consensus::cluster_identity cluster;
  core::lsn timeline_start;
};

/// The server that has the branch of a compute, for the compute's agent. It may be started again meanwhile, on other
/// ports: each call finds it anew by the directory, and fails with errc::unavailable when none runs. Calls block.
class branch_server {
 public:
  branch_server(std::string directory, const host::compute_record& record);

  /// Assigns safekeepers to the branch if it has none.
  [[nodiscard]] core::result<assigned_quorum> assign_quorum() const;
  /// errc::out_of_range: WAL that the branch needs is lost, and waiting does not help.
  [[nodiscard]] core::result<core::lsn> last_record_lsn() const;
  /// Creates the data directory `into` from the branch at `at`. `bytes`: written so far.
  core::result<void> restore(core::lsn at, const std::string& into,
                             const std::function<void(std::uint64_t bytes)>& written) const;
  /// Creates it without the pages of relations, and guards the files that they belong in. With page_mode::fuse `into`
  /// is an empty directory afterwards, where the filler mounts what is created beside it. The files are those of
  /// host::postgres_account().
  core::result<std::shared_ptr<const page_files::guarded_directory>> restore_guarded(
      host::page_mode pages, core::lsn at, const std::string& into,
      const std::function<void(std::uint64_t bytes)>& written) const;
  /// Where a standby that is started now would begin. errc::unavailable while no place is known.
  [[nodiscard]] core::result<host::standby_place> standby_start() const;
  struct standby_directory {
    std::shared_ptr<const page_files::guarded_directory> pages;  ///< null: with all pages (page_mode::copy)
    std::shared_ptr<const pg::files::standby_view> view;         ///< the WAL that this standby must see
    std::uint64_t system_id = 0;
    std::uint32_t timeline = 1;  ///< Postgres's
    pg::major_version major = pg::major_version::v15;
  };
  /// As restore() and restore_guarded(), for a standby that begins there.
  core::result<standby_directory> restore_standby(host::page_mode pages, const host::standby_place& from,
                                                  const std::string& into,
                                                  const std::function<void(std::uint64_t bytes)>& written) const;
  /// Where the branch's WAL can be had: one of its safekeepers, another one with each attempt, or its source. Assigns
  /// safekeepers to a branch that follows no source and has none.
  [[nodiscard]] core::result<host::wal_upstream> find_upstream(std::uint32_t attempt) const;
  /// Keeps the LSN readable, for as long as the result says.
  [[nodiscard]] core::result<std::chrono::milliseconds> lease(core::lsn at) const;

 private:
  using query = api::api_client::query;
  [[nodiscard]] core::result<api::api_client> api() const;
  core::result<std::shared_ptr<const page_files::guarded_directory>> unpack_guarded(
      host::page_mode pages, const query& what, const std::string& into,
      const std::function<void(std::uint64_t bytes)>& written) const;
  std::string directory_;
  std::string path_;
  core::tenant_id tenant_;
  core::timeline_id timeline_;
};

/// Downloads the branch at `path` of the API, as it is at `at`, and unpacks it into the new data directory `into`.
core::result<void> restore_branch(const api::api_client& api, const std::string& path, core::lsn at,
                                  const std::string& into, const std::function<void(std::uint64_t bytes)>& written);

}  // namespace strata::control
