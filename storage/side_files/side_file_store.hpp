#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/generation.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::storage {

/// A version of a side file, for a reader.
struct side_file {
  side_file_record record;
  core::timeline_id timeline;         ///< that has it: this one or an ancestor
  core::result<core::bytes> content;  ///< errc::corrupt when it is damaged: then no other version is meant
};

/// The files of a compute that are not in the WAL and outlive its incarnations: settings, statistics, the prewarm list.
/// Versions by LSN; below them those of the ancestor up to the branch point. A version is a file that never changes and
/// a record in the metadata, which says that there is one: a damaged file is not taken for a missing one, nor for the
/// version before. Thread safe. All calls that read or write contents block.
class side_file_store {
 public:
  struct context {
    metadata_store* metadata = nullptr;
    io::disk* disk = nullptr;
    const core::clock* clock = nullptr;
    core::tenant_id tenant;
    core::timeline_id timeline;
    std::string directory;  ///< of the contents; its parent is the timeline's, and exists
    core::generation generation{1};
    core::lsn ancestor_lsn;
  };
  /// `ancestor` is kept alive, and keeps what this timeline needs of it.
  static core::result<std::shared_ptr<side_file_store>> open(const context& context,
                                                             std::shared_ptr<side_file_store> ancestor);
  ~side_file_store();
  side_file_store(const side_file_store&) = delete;
  side_file_store& operator=(const side_file_store&) = delete;

  /// From now on writers of earlier terms are refused, until the server ends: what this one reads can't be overwritten.
  void fence(std::uint64_t term);

  struct change {
    std::string name;
    core::bytes content;
    bool proven = false;  ///< Postgres has started with it
  };
  /// Stores versions that hold from `at` on, or if that is later from the newest one of the file on, and after all
  /// branch points. A file whose newest version has that content gets no new one. All or nothing, durable on return.
  /// errc::conflict when a later term has written or read here; errc::invalid_argument for a name or a size that is not
  /// allowed; errc::busy for too many names.
  core::result<void> put(const std::vector<change>& changes, core::lsn at, std::uint64_t term);

  /// Of every file the version that holds at `at`, by name; `proven_only`: the last one with which Postgres has
  /// started.
  [[nodiscard]] std::vector<side_file> read(core::lsn at, bool proven_only) const;
  /// The versions of this timeline, by number.
  [[nodiscard]] std::vector<side_file_record> versions() const;

  /// Removes versions that nobody needs (side_file_rules.hpp). `kept`: LSNs that must stay readable below the cutoff.
  core::result<std::size_t> collect(core::lsn cutoff, const std::vector<core::lsn>& kept);

 private:
  side_file_store(context of, std::shared_ptr<side_file_store> ancestor, std::vector<side_file_record> records);
  struct place {
    const side_file_store* store = nullptr;
    side_file_record record;
  };
  /// Own versions win over those of ancestors.
  void find(core::lsn at, bool proven_only, std::map<std::string, place>& found) const;
  [[nodiscard]] std::string path_of(const side_file_record& of) const;
  [[nodiscard]] core::result<std::vector<side_file_record>> plan(const std::vector<change>& changes, core::lsn at,
                                                                 std::uint64_t term,
                                                                 std::vector<const change*>& new_contents) const;
  core::result<void> write(const side_file_record& record, core::bytes_view content);
  core::result<std::size_t> remove_unneeded();
  [[nodiscard]] std::vector<core::lsn> kept_points() const;
  void apply(const std::vector<side_file_record>& put, const std::vector<std::uint64_t>& removed);
  [[nodiscard]] bool has(const side_file_record& of) const;

  context context_;
  std::shared_ptr<side_file_store> ancestor_;
  std::mutex writing_;  ///< held for a whole change
  mutable std::mutex mutex_;
  std::vector<side_file_record> records_;   // guarded by mutex_; by number
  std::multiset<core::lsn> branch_points_;  // guarded by mutex_
  std::vector<core::lsn> kept_;             // guarded by mutex_; of the last collection
  core::lsn cutoff_;                        // guarded by mutex_; of the last collection
  std::uint64_t term_ = 0;                  // guarded by mutex_; the highest one seen
};

}  // namespace strata::storage
