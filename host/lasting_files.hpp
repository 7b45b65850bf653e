#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "host/postgres_process.hpp"

/// What of a data directory outlives its incarnation although it is not in the WAL (docs/decisions/0062): settings,
/// cumulative statistics, the prewarm list. The server of the branch keeps them; here is what a start makes of them,
/// and what of a directory is to be kept.
namespace strata::host {

/// A version of such a file, by its name in the data directory. Of postgresql.conf, pg_hba.conf and pg_ident.conf the
/// content is the lines that are the user's.
struct lasting_file {
  std::string name;
  std::string content;
  bool proven = false;  ///< Postgres has started with it
  core::wall_time stored{};
  std::string damage{};  ///< not empty: there is one, and it can't be read
  bool operator==(const lasting_file&) const = default;
};

/// Settings, and not statistics or the prewarm list.
bool is_settings_file(std::string_view name);

struct lasting_files {
  std::vector<lasting_file> newest;  ///< by name
  std::vector<lasting_file> proven;  ///< of every file the last one with which Postgres has started
  bool logical_wal = false;
};

/// How much of the stored settings a start uses. Each one is tried when Postgres did not start with the one before.
enum class settings_choice : std::uint8_t { newest, proven, none };

/// The host and the compute that are started.
struct lasting_host {
  bool armed = false;
  bool writes = false;  ///< it gets statistics and prewarm list, too
  std::string data_directory;
  std::vector<std::string> settings;  ///< lines of --set
  /// Whether a library to be preloaded is here.
  std::function<bool(const std::string& library)> has_library;
};

/// What a start uses of it.
struct lasting_start {
  settings_choice choice = settings_choice::newest;
  user_settings text;
  std::vector<std::string> conf_lines;   ///< for postgresql.conf, before those of --set
  std::vector<lasting_file> data_files;  ///< to be written as they are
  std::vector<std::string> forced;       ///< "name=value" for the command line: in place of what can't be used here
  std::vector<std::string> notes;        ///< for people: what is not used, and why
  std::vector<lasting_file> unproven;    ///< settings in use with which Postgres has not started yet
  bool logical_wal = false;
};
/// Pure. Damaged settings are replaced by the last proven ones, which is told; other damaged files are left out.
lasting_start choose_lasting(const lasting_files& from, settings_choice choice, const lasting_host& on);
/// The next choice that would use other settings; nullopt: there is none.
std::optional<settings_choice> choice_after(const lasting_files& from, settings_choice failed);
/// "FATAL:  could not access file "x"" of an error that has the end of a server's log.
std::string reason_in(std::string_view failure);

/// Whether a library that Postgres preloads is on this host: by its name as in the setting. True when that can't be
/// told.
bool has_library(const std::string& bin_directory, const std::string& library);

/// Writes the data files, as write_settings() does with settings. Unknown names are refused.
core::result<void> write_data_files(const postgres_options& of, const std::vector<lasting_file>& files);

/// The settings of a data directory as they are now: postgresql.auto.conf, and of the other files the lines that are
/// not `ours`, as read by our_lines() after write_settings(). Larger files than are kept are left out.
struct written_lines {
  std::vector<std::string> conf, hba, ident;
};
core::result<written_lines> our_lines(const std::string& files, const lasting_start& start);
core::result<std::vector<lasting_file>> read_settings_files(const std::string& files, const written_lines& ours);
/// The statistics that a Postgres which has stopped cleanly has left, and the prewarm list.
std::vector<lasting_file> read_data_files(const std::string& files);

/// Those that are not kept, by name: they are too large, or no plain files.
std::vector<std::string> files_not_kept(const std::string& files, const written_lines& ours);

/// Looks whether settings or the prewarm list have changed, by their inodes: waits for no disk, the kernel has them.
class lasting_watch {
 public:
  explicit lasting_watch(std::string files) : files_(std::move(files)) {}
  /// Since the last call; the first one says nothing.
  bool has_changed();

 private:
  std::string files_;
  std::vector<std::uint64_t> seen_;
};

/// The logical replication slots that a Postgres has left in its data directory, by name. They end with it.
std::vector<std::string> logical_slots_in(const std::string& files);

/// Where the files of a data directory are: behind it when it is a mount.
std::string files_of(const std::string& data_directory);

}  // namespace strata::host
