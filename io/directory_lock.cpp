#include "io/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/blocking.hpp"

namespace strata::io {

namespace {

std::string holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size() - 1, 0);
  std::string pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  pid.resize(std::min(pid.find('\n'), pid.size()));
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

core::result<directory_lock> directory_lock::take(const std::string& directory) {
  core::may_block("lock a directory");
  const std::string path = directory + "/strata.lock";
  unique_fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return core::from_errno("open " + path, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return core::from_errno("lock " + path, errno);
    return core::error{core::errc::conflict, "directory " + directory + " is in use by " + holder(file.get())};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), pid.data(), pid.size(), 0) < 0)
    return core::from_errno("write " + path, errno);
  return directory_lock(std::move(file));
}

core::result<std::optional<directory_lock>> lock_directory(const disk& on, const std::string& directory) {
  if (&on != &real_disk()) return std::optional<directory_lock>();
  STRATA_ASSIGN(directory_lock taken, directory_lock::take(directory));
  return std::optional(std::move(taken));
}

}  // namespace strata::io
