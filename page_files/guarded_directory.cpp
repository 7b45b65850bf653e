#include "page_files/guarded_directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <utility>

namespace strata::page_files {
namespace {

std::uint64_t pages_of(std::span<const sparse_file> files) {
  std::uint64_t pages = 0;
  for (const sparse_file& each : files) pages += each.file.pages;
  return pages;
}

core::result<void> mark_all(const fanotify_group& group, const std::string& directory,
                            std::span<const sparse_file> files) {
  const io::unique_fd root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return core::from_errno("open " + directory, errno);
  for (const sparse_file& each : files) {
    const io::unique_fd file(::openat(root.get(), each.file.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return core::from_errno("open " + directory + "/" + each.file.path, errno);
    auto marked = group.mark(file.get());
    if (!marked) return std::move(marked).error().within("guard " + directory + "/" + each.file.path);
  }
  return {};
}

}  // namespace

core::result<void> check_fanotify(const std::string& directory) {
  // Closed by the end of the process: within some 20 ms of the removal of a mark the kernel makes that wait. In a
  // forked child, whose descriptor is closed, the number may be another file's: nothing closes it there.
  static std::mutex mutex;
  static auto* const kept = new std::optional<fanotify_group>;
  const std::lock_guard lock(mutex);
  if (!*kept) {
    STRATA_ASSIGN(*kept, fanotify_group::make());
  }
  // On the same file system as the data will be, and nobody's.
  const io::unique_fd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return core::from_errno("create a file in " + directory, errno);
  return (*kept)->mark(file.get());
}

guarded_directory::guarded_directory(std::string directory, std::optional<fanotify_group> group, page_map map,
                                     io::unique_fd control_file, std::uint64_t pages)
    : directory_(std::move(directory)),
      group_(std::move(group)),
      map_(std::move(map)),
      control_file_(std::move(control_file)),
      pages_(pages) {}

core::result<std::shared_ptr<const guarded_directory>> guarded_directory::of_native_files(
    const std::string& directory, std::span<const sparse_file> files, io::unique_fd control_file) {
  STRATA_ASSIGN(auto group, fanotify_group::make());
  STRATA_ASSIGN(auto map, page_map::make(files));
  STRATA_TRY(mark_all(group, directory, files));
  return std::shared_ptr<const guarded_directory>(
      new guarded_directory(directory, std::move(group), std::move(map), std::move(control_file), pages_of(files)));
}

core::result<std::shared_ptr<const guarded_directory>> guarded_directory::behind_mount(
    const std::string& directory, std::span<const sparse_file> files, io::unique_fd control_file) {
  STRATA_ASSIGN(auto map, page_map::make(files));
  return std::shared_ptr<const guarded_directory>(
      new guarded_directory(directory, std::nullopt, std::move(map), std::move(control_file), pages_of(files)));
}

}  // namespace strata::page_files
