#include "page_files/page_toucher.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <utility>

namespace strata::page_files {

namespace {

core::result<io::unique_fd> open_the_file(const std::string& path, inode_id inode, int access) {
  io::unique_fd file(::open(path.c_str(), access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return core::from_errno("open " + path, errno);
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return core::from_errno("open " + path, errno);
  if (inode_id{found.st_dev, found.st_ino} != inode)
    return core::error{core::errc::not_found, "open " + path + ": another file has its name"};
  return file;
}

}  // namespace

core::result<io::unique_fd> open_by_name(const std::string& directory, const page_map& map, std::uint32_t file,
                                         int access) {
  return open_the_file(directory + "/" + map.file(file).path, map.inode(file), access);
}

core::result<std::shared_ptr<page_toucher>> page_toucher::make() {
  auto made = std::make_shared<page_toucher>();
  made->signal_ = io::unique_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!made->signal_) return core::from_errno("make an eventfd", errno);
  return made;
}

void page_toucher::touch(std::string directory, const page_map& map, std::vector<std::uint32_t> files) {
  struct target {
    std::uint32_t file;
    std::string path;
    inode_id inode;
  };
  std::vector<target> targets;
  for (const std::uint32_t each : files)
    targets.push_back({each, directory + "/" + map.file(each).path, map.inode(each)});
  // A thread that waits for an event that nobody answers can't be joined; it owns what it uses.
  std::thread([self = shared_from_this(), targets = std::move(targets)] {
    for (const target& each : targets) {
      auto file = open_the_file(each.path, each.inode, O_RDONLY);
      char nothing = 0;
      if (!file || ::pread(file->get(), &nothing, 0, 0) != 0) self->report(each.file);
    }
  }).detach();
}

void page_toucher::report(std::uint32_t file) {
  const std::lock_guard lock(mutex_);
  failed_.push_back(file);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(signal_.get(), &one, sizeof one);
}

std::vector<std::uint32_t> page_toucher::take_failed() {
  const std::lock_guard lock(mutex_);
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t read = ::read(signal_.get(), &count, sizeof count);
  return std::exchange(failed_, {});
}

}  // namespace strata::page_files
