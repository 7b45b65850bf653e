#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "page_files/fanotify_group.hpp"
#include "page_files/page_map.hpp"

namespace strata::page_files {

/// Whether a data directory below `directory` can be filled through fanotify: errc::unsupported or
/// errc::permission_denied with the reason.
core::result<void> check_fanotify(const std::string& directory);

struct fill_progress {
  std::uint64_t pages = 0;
  std::uint64_t missing = 0;
  std::string waits;  ///< why readers wait for longer than usual; empty: they don't
};

/// What the guard of a data directory holds while Postgres runs on it, so that one filler can follow another: the group
/// of events and the map of pages (docs/decisions/0050-fanotify-door.md).
class guarded_directory {
 public:
  /// Marks the files of a directory as create_relation_files() and hold_control_file() leave it. Precondition: no
  /// process has one of them open.
  static core::result<std::shared_ptr<const guarded_directory>> guard(const std::string& directory,
                                                                      std::span<const sparse_file> files,
                                                                      io::unique_fd control_file);

  /// Inherited by every process that opens the files: it waits as long as nobody fills.
  [[nodiscard]] int group() const { return group_.fd(); }
  /// Inherited by Postgres as control_file_descriptor: it does not start without.
  [[nodiscard]] int control_file() const { return control_file_.get(); }
  /// Inherited, with the group, by the filler.
  [[nodiscard]] int map() const { return map_.fd(); }
  /// Another filler can follow one that ended.
  [[nodiscard]] bool outlives_filler() const { return true; }
  [[nodiscard]] fill_progress progress() const { return {pages_, map_.missing(), map_.note()}; }

 private:
  guarded_directory(fanotify_group group, page_map map, io::unique_fd control_file, std::uint64_t pages)
      : group_(std::move(group)), map_(std::move(map)), control_file_(std::move(control_file)), pages_(pages) {}

  fanotify_group group_;
  page_map map_;
  io::unique_fd control_file_;
  std::uint64_t pages_;
};

}  // namespace strata::page_files
