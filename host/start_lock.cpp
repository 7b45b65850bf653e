#include "host/start_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace strata::host {
namespace {

std::string path_in(const std::string& directory) { return directory + "/start.lock"; }

/// Of the open file, not of the process: others ask for it without taking it.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

core::result<start_lock> start_lock::take(const std::string& directory) {
  const int file = ::open(path_in(directory).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return core::from_errno("open " + path_in(directory), errno);
  start_lock lock(file);
  struct flock wanted = whole_file();
  if (::fcntl(file, F_OFD_SETLK, &wanted) == 0) return lock;
  if (errno != EAGAIN && errno != EACCES) return core::from_errno("lock " + path_in(directory), errno);
  return core::error{core::errc::conflict, "another command is working on " + directory};
}

bool start_lock::is_held(const std::string& directory) {
  const int file = ::open(path_in(directory).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  struct flock asked = whole_file();
  const bool held = ::fcntl(file, F_OFD_GETLK, &asked) == 0 && asked.l_type != F_UNLCK;
  ::close(file);
  return held;
}

start_lock::~start_lock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace strata::host
