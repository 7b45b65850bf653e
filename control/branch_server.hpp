#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "api/api_client.hpp"
#include "control/filler.hpp"
#include "control/scope.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "host/branch_access.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// host::wal_upstream::name of the Postgres that a branch follows.
inline constexpr const char* upstream_source = "the source";

/// The server that has the branch of a compute. It may be started again meanwhile, on other ports: each call finds it
/// anew by the directory, and fails with errc::unavailable when none runs, or when `stop` is requested.
class branch_server final : public host::branch_access {
 public:
  /// Fillers are started as `of` says; `first`, if there is one, is the first of them.
  branch_server(const scope& of, host::compute_record record, waiting_filler first = {}, std::stop_token stop = {});

  core::result<host::branch_quorum> quorum() override;
  core::result<pg::wire::safekeeper_location> locate(const consensus::member& of) override;
  core::result<core::lsn> last_record_lsn() override;
  core::result<std::chrono::milliseconds> lease(core::lsn at) override;
  core::result<void> restore(core::lsn at, const std::string& into, const progress& written) override;
  /// With page_mode::fuse `into` is an empty directory afterwards, where the filler mounts what is created beside it.
  /// The files are those of host::postgres_account().
  core::result<directory> restore_guarded(core::lsn at, const std::string& into, const progress& written) override;
  core::result<pid_t> start_filler(const page_files::guarded_directory& of, core::lsn at) override;
  core::result<void> remove_mount(const std::string& data_directory) override;
  core::result<host::lasting_files> lasting(std::optional<core::lsn> at, std::uint64_t term) override;
  core::result<void> keep(const std::vector<host::lasting_file>& files, core::lsn at, std::uint64_t term) override;
  core::result<host::standby_place> standby_start() override;
  core::result<host::standby_directory> restore_standby(const host::standby_place& from, const std::string& into,
                                                        const progress& written) override;
  core::result<host::wal_upstream> find_upstream(std::uint32_t attempt) override;

 private:
  using query = api::api_client::query;
  /// For requests of one kind, with their limit.
  [[nodiscard]] core::result<api::api_client> api(std::chrono::seconds limit) const;
  core::result<directory> unpack_guarded(const query& what, const std::string& into, const progress& written) const;

  const scope& of_;
  host::compute_record record_;
  std::string path_;
  waiting_filler first_;
  std::stop_token stop_;
};

/// Downloads the branch at `path` of the API, as it is at `at`, and unpacks it into the new data directory `into`.
core::result<void> restore_branch(const api::api_client& api, const std::string& path, core::lsn at,
                                  const std::string& into, const std::function<void(std::uint64_t bytes)>& written);

}  // namespace strata::control
