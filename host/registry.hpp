#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "host/start_lock.hpp"

namespace strata::host {

/// What becomes of what is written on a compute.
enum class compute_mode : std::uint8_t {
  copy,       ///< stays in its directory: the branch does not change
  branch,     ///< goes into the branch, kept by a quorum of safekeepers; the directory is thrown away with each life
  read_only,  ///< nothing is to be written; the directory is thrown away with each life
  standby,    ///< nothing can be written: it follows the branch as a hot standby; its directory is thrown away, too
};
/// As in records: "read_only".
const char* to_string(compute_mode of);

/// How the pages of relations come into a compute's data directory.
enum class page_mode : std::uint8_t {
  copy,      ///< all of them, before Postgres starts
  fanotify,  ///< when first touched: the kernel asks before each access to a file that is not complete
  fuse,      ///< when first touched: the directory is a file system of this program
};
/// As in records and on the command line: "fanotify".
const char* to_string(page_mode of);
std::optional<page_mode> page_mode_of(std::string_view word);

/// One compute of this machine: <server directory>/computes/<name>/compute.json (docs/formats/directory.md). It belongs
/// to a timeline, by its ids; the names are those at the time of the start, for people.
struct compute_record {
  std::string name;
  std::string tenant;
  std::string branch;
  core::tenant_id tenant_id;
  core::timeline_id timeline_id;
  core::lsn at;  ///< where its copy of the branch begins; 0 in modes `branch` and `standby`, whose agents know that
  core::wall_time as_of{};  ///< the moment whose state the copy has
  int pg_major = 0;
  std::string bin_directory;
  std::string home;  ///< holds data, socket and log; elsewhere if Postgres's user can't reach the server's directory
  std::string data_directory;
  std::string socket_directory;  ///< empty: to be chosen at the next start
  std::string log_file;
  std::uint16_t port = 0;
  std::uint16_t control_port = 0;     ///< of its control endpoints; 0: any free one
  std::string user;                   ///< the superuser to connect as
  std::string database = "postgres";  ///< and the database
  core::wall_time started{};
  compute_mode mode = compute_mode::copy;
  page_mode pages = page_mode::copy;
  bool pages_named = false;  ///< the user has chosen `pages`, at some start
  bool fill = true;          ///< pages that nobody touches are filled in, too
  /// How long an access waits for its page before it fails.
  std::chrono::milliseconds page_timeout{60'000};
  std::vector<std::string> settings;  ///< lines for postgresql.conf
  bool armed = false;                 ///< may act on other servers by itself (forced_settings.hpp)
  bool ready = true;                  ///< false until its first start has succeeded
  bool temporary = false;             ///< goes with the command that holds its start_lock
};

/// An agent keeps its Postgres running and starts it in a new directory each time (actors/compute).
inline bool has_agent(const compute_record& of) { return of.mode != compute_mode::copy; }

/// At some time; also when it was stopped since.
inline bool has_started(const compute_record& of) { return of.started != core::wall_time(); }

/// A directory of a compute whose record can't be used.
struct damaged_compute {
  std::string name;
  core::error why;  ///< names the file
};

struct compute_listing {
  std::vector<compute_record> computes;  ///< by name
  std::vector<damaged_compute> damaged;  ///< by name
};

/// Directories of computes that can't be below the server's directory begin so.
inline constexpr std::string_view elsewhere_prefix = "/var/tmp/strata-";

/// The computes of one server directory. Paths in a record are of that directory: when it was moved they are those of
/// now, and when it was copied they are not those of the original.
class registry {
 public:
  explicit registry(std::string server_directory) : directory_(std::move(server_directory) + "/computes") {}

  /// A record that is damaged is listed as that and harms no other.
  [[nodiscard]] core::result<compute_listing> list() const;
  /// errc::not_found names those there are; errc::corrupt the file.
  [[nodiscard]] core::result<compute_record> find(const std::string& name) const;
  /// Of all directories of computes, by name: those with a record, without one, and with a damaged one.
  [[nodiscard]] core::result<std::vector<std::string>> names() const;
  /// Loads the record of that name, also while another process uses it; errc::not_found if there is none.
  [[nodiscard]] core::result<compute_record> load(const std::string& name) const;
  /// Makes the directory of a new compute, errc::conflict when the name is taken.
  [[nodiscard]] core::result<start_lock> claim(const std::string& name) const;
  /// The whole record or none is on disk afterwards.
  [[nodiscard]] core::result<void> save(const compute_record& record) const;
  /// Its directories, and then its record. Precondition: it does not run.
  [[nodiscard]] core::result<void> remove(const compute_record& record) const;

  /// What can be known without a record: the paths below the server's directory, or those in /var/tmp that say that
  /// they belong to it.
  [[nodiscard]] compute_record remains_of(const std::string& name) const;
  [[nodiscard]] std::string directory_of(const std::string& name) const { return directory_ + "/" + name; }

 private:
  std::string directory_;
};

}  // namespace strata::host
