#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/result.hpp"
#include "io/unique_fd.hpp"
#include "page_files/fanotify_group.hpp"
#include "page_files/mark_release.hpp"
#include "page_files/page_map.hpp"

namespace strata::page_files {

/// Whether a data directory below `directory` can be filled through fanotify: errc::unsupported or
/// errc::permission_denied with the reason. Keeps a descriptor until this process ends; not for a forked child.
core::result<void> check_fanotify(const std::string& directory);

struct fill_progress {
  std::uint64_t pages = 0;
  std::uint64_t missing = 0;
  bool is_complete = false;  ///< and needs no filler any more, if one can be spared at all
  std::string waits;         ///< why readers wait for longer than usual; empty: they don't
  fill_counts counts{};
};

/// What the guard of a data directory holds while Postgres runs on it. With it one filler can follow another on native
/// files (docs/decisions/0050-fanotify-door.md). Behind a mount it can't: the mount ends with its filler, every access
/// fails then, and Postgres has to end.
class guarded_directory {
 public:
  /// Of a directory as create_relation_files() and hold_control_file() leave it: marks its files. Precondition: no
  /// process has one of them open.
  static core::result<std::shared_ptr<const guarded_directory>> of_native_files(const std::string& directory,
                                                                                std::span<const sparse_file> files,
                                                                                io::unique_fd control_file);
  /// Of the same, which the filler will mount somewhere else.
  static core::result<std::shared_ptr<const guarded_directory>> behind_mount(const std::string& directory,
                                                                             std::span<const sparse_file> files,
                                                                             io::unique_fd control_file);

  /// Where the files are; behind a mount nobody but the filler uses it.
  [[nodiscard]] const std::string& directory() const { return directory_; }
  /// Inherited by every process that opens native files: it waits as long as nobody fills. -1 behind a mount.
  [[nodiscard]] int group() const { return group_ ? group_->fd() : -1; }
  /// Inherited by Postgres as control_file_descriptor: it does not start without.
  [[nodiscard]] int control_file() const { return control_file_.get(); }
  /// For the filler (filler_assignment.hpp).
  [[nodiscard]] int map() const { return map_.fd(); }
  /// Another filler can follow one that ended.
  [[nodiscard]] bool outlives_filler() const { return group_.has_value(); }
  /// Moves while a filler works (page_map::beat).
  [[nodiscard]] std::uint32_t beats() const { return map_.beats(); }
  [[nodiscard]] fill_progress progress() const {
    const bool complete = map_.is_complete();
    return {pages_, complete ? 0 : map_.missing(), complete, map_.note(), map_.counts()};
  }
  /// Of native files that are complete and whose last filler was reaped: answers what that has left. Then, now and
  /// then: what comes late.
  void succeed_last_filler() const { answer_left(*group_, map_); }
  void answer_late_accesses() const { answer_late(*group_, map_); }

 private:
  guarded_directory(std::string directory, std::optional<fanotify_group> group, page_map map,
                    io::unique_fd control_file, std::uint64_t pages);

  std::string directory_;
  std::optional<fanotify_group> group_;
  page_map map_;
  io::unique_fd control_file_;
  std::uint64_t pages_;
};

}  // namespace strata::page_files
