#include "page_files/guarded_directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace strata::page_files {

core::result<void> check_fanotify(const std::string& directory) {
  STRATA_ASSIGN(const fanotify_group group, fanotify_group::make());
  // On the same file system as the data will be, and nobody's.
  const io::unique_fd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return core::from_errno("make a file in " + directory, errno);
  return group.mark(file.get());
}

core::result<std::shared_ptr<const guarded_directory>> guarded_directory::guard(const std::string& directory,
                                                                                std::span<const sparse_file> files,
                                                                                io::unique_fd control_file) {
  STRATA_ASSIGN(auto group, fanotify_group::make());
  STRATA_ASSIGN(auto map, page_map::make(files));
  const io::unique_fd root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return core::from_errno("open " + directory, errno);
  std::uint64_t pages = 0;
  for (const sparse_file& each : files) {
    if (each.file.pages == 0) continue;
    const io::unique_fd file(::openat(root.get(), each.file.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return core::from_errno("open " + directory + "/" + each.file.path, errno);
    auto marked = group.mark(file.get());
    if (!marked) return std::move(marked).error().within("guard " + directory + "/" + each.file.path);
    pages += each.file.pages;
  }
  return std::shared_ptr<const guarded_directory>(
      new guarded_directory(std::move(group), std::move(map), std::move(control_file), pages));
}

}  // namespace strata::page_files
