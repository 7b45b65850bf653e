#pragma once

#include <cstdint>
#include <string>

#include "page_files/fanotify_group.hpp"
#include "page_files/page_map.hpp"

namespace strata::page_files {

/// The end of a filler's work: when all pages are there, takes the marks from the files, so that the kernel forgets
/// them. A file whose name is gone keeps its mark as long as a process has it open: its missing pages stay errors.
class mark_release {
 public:
  static constexpr std::uint32_t files_at_once = 256;

  /// All outlive it.
  mark_release(const fanotify_group& group, const page_map& map, std::string directory)
      : group_(group), map_(map), directory_(std::move(directory)) {}

  /// Looks at some more files. True when every file that has its name is complete and has no mark. When it meets one
  /// that is not complete it begins again.
  bool step();
  /// The next step need not wait for anything.
  [[nodiscard]] bool is_under_way() const { return next_ > 0 && next_ < map_.file_count(); }

 private:
  bool release(std::uint32_t file);

  const fanotify_group& group_;
  const page_map& map_;
  std::string directory_;
  std::uint32_t next_ = 0;
};

/// Answers accesses to the files of a complete directory that its last filler has taken and not answered. Precondition:
/// its process was reaped.
void answer_left(const fanotify_group& group, const page_map& map);
/// Answers those that were on their way to the kernel's queue when the marks went, and those to files whose names are
/// gone.
void answer_late(const fanotify_group& group, const page_map& map);

}  // namespace strata::page_files
