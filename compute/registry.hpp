#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::compute {

/// What becomes of what is written on a compute.
enum class compute_mode : std::uint8_t {
  copy,    ///< stays in its directory: the branch does not change
  branch,  ///< goes into the branch, kept by a quorum of safekeepers; the directory is thrown away with each life
};

/// One compute of this machine: <server directory>/computes/<name>/compute.json (docs/formats/directory.md).
struct compute_record {
  std::string name;
  std::string tenant;
  std::string branch;
  core::tenant_id tenant_id;
  core::timeline_id timeline_id;
  core::lsn at;  ///< where its copy of the branch begins; 0 in mode `branch`, whose agent knows (agent_status.hpp)
  int pg_major = 0;
  std::string bin_directory;
  std::string home;  ///< holds data, socket and log; elsewhere if Postgres's user can't reach the server's directory
  std::string data_directory;
  std::string socket_directory;
  std::string log_file;
  std::uint16_t port = 0;
  std::string user;                   ///< the superuser to connect as
  std::string database = "postgres";  ///< and the database
  core::wall_time started{};
  compute_mode mode = compute_mode::copy;
  std::vector<std::string> settings;  ///< lines for postgresql.conf, for each life of a `branch` compute
};

/// The computes of one server directory.
class registry {
 public:
  explicit registry(std::string server_directory) : directory_(std::move(server_directory) + "/computes") {}

  [[nodiscard]] core::result<std::vector<compute_record>> list() const;
  /// errc::not_found names those there are.
  [[nodiscard]] core::result<compute_record> find(const std::string& name) const;
  /// Makes the directory of a new compute, errc::conflict when the name is taken.
  [[nodiscard]] core::result<void> claim(const std::string& name) const;
  /// The whole record or none is on disk afterwards.
  [[nodiscard]] core::result<void> save(const compute_record& record) const;
  /// Its directories and its record. Precondition: it does not run.
  [[nodiscard]] core::result<void> remove(const std::string& name, const std::string& home) const;

  [[nodiscard]] std::string directory_of(const std::string& name) const { return directory_ + "/" + name; }

 private:
  std::string directory_;
};

}  // namespace strata::compute
