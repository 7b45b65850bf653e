#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/membership.hpp"
#include "consensus/messages.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "host/lasting_files.hpp"
#include "host/standby.hpp"
#include "page_files/guarded_directory.hpp"
#include "pg/files/standby_view.hpp"
#include "pg/types.hpp"
#include "pg/wire/safekeeper_location.hpp"

namespace strata::host {

/// The safekeepers of a branch, as its server reports them.
struct branch_quorum {
  consensus::configuration members;
  consensus::cluster_identity cluster;
  core::lsn timeline_start;
};

/// The data directory of a standby.
struct standby_directory {
  std::shared_ptr<const page_files::guarded_directory> pages;  ///< null: with all pages, a copy
  std::shared_ptr<const pg::files::standby_view> view;         ///< the WAL that this standby must see
  std::uint64_t system_id = 0;
  std::uint32_t timeline = 1;  ///< Postgres's
  pg::major_version major = pg::major_version::v15;
};

/// The access of a compute's agent to the server that has its branch, and to what fills a data directory from there.
/// All calls block, each within a limit of its own, and are made on threads that may, several at once.
class branch_access {
 public:
  using directory = std::shared_ptr<const page_files::guarded_directory>;
  using progress = std::function<void(std::uint64_t bytes)>;  ///< bytes written so far

  branch_access() = default;
  virtual ~branch_access() = default;
  branch_access(const branch_access&) = delete;
  branch_access& operator=(const branch_access&) = delete;

  /// Assigns safekeepers to the branch if it has none.
  virtual core::result<branch_quorum> quorum() = 0;
  /// The address of a safekeeper now.
  virtual core::result<pg::wire::safekeeper_location> locate(const consensus::member& of) = 0;
  /// errc::out_of_range: WAL that the branch needs is lost, and waiting does not help.
  virtual core::result<core::lsn> last_record_lsn() = 0;
  /// Keeps the LSN readable, for as long as the result says.
  virtual core::result<std::chrono::milliseconds> lease(core::lsn at) = 0;

  /// Creates the data directory `into` from the branch at `at`, ready for a start exactly there.
  virtual core::result<void> restore(core::lsn at, const std::string& into, const progress& written) = 0;
  /// The same without the pages of relations, which are filled in when first touched (page_mode).
  virtual core::result<directory> restore_guarded(core::lsn at, const std::string& into, const progress& written) = 0;
  /// Starts the process that fills such a directory. One call at a time.
  virtual core::result<pid_t> start_filler(const page_files::guarded_directory& of, core::lsn at) = 0;
  /// Takes away what it has mounted there.
  virtual core::result<void> remove_mount(const std::string& data_directory) = 0;

  /// What of earlier incarnations lasts, as of `at`, or the newest. Of a writer with its term: those of earlier terms
  /// store nothing more.
  virtual core::result<lasting_files> lasting(std::optional<core::lsn> at, std::uint64_t term) = 0;
  /// Stores files that hold from `at` on; durable on return. errc::conflict: a writer of a later term has taken over.
  virtual core::result<void> keep(const std::vector<lasting_file>& files, core::lsn at, std::uint64_t term) = 0;

  /// Where a standby that is started now would begin. errc::unavailable while no place is known.
  virtual core::result<standby_place> standby_start() = 0;
  /// As restore() and restore_guarded(), for a standby that begins there.
  virtual core::result<standby_directory> restore_standby(const standby_place& from, const std::string& into,
                                                          const progress& written) = 0;
  /// The upstream of the WAL of the branch: one of its safekeepers, another one with each attempt, or its source.
  virtual core::result<wal_upstream> find_upstream(std::uint32_t attempt) = 0;
};

}  // namespace strata::host
