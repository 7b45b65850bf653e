#include "control/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

namespace strata::control {
namespace {

namespace fs = std::filesystem;

constexpr mode_t mode_of_new = 0600;

const char* why_not(mode_t mode) {
  if (S_ISDIR(mode)) return "it is a directory";
  if (S_ISBLK(mode)) return "it is a block device, and its content would be lost";
  if (S_ISSOCK(mode)) return "it is a socket";
  return nullptr;
}

std::string directory_of(const std::string& path) {
  const std::string directory = fs::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

}  // namespace

core::result<output_file> output_file::open(const std::string& path) {
  output_file made;
  made.shown_ = path;
  struct stat link {};
  const bool is_link = ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode);
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    if (errno != ENOENT) return core::from_errno("open " + path, errno);
    if (is_link) return core::error{core::errc::invalid_argument, path + " is a dangling symbolic link"};
    STRATA_TRY(made.open_regular(path));
    return made;
  }
  if (const char* why = why_not(found.st_mode))
    return core::error{core::errc::invalid_argument, "can't write an archive to " + path + ": " + why};
  if (S_ISREG(found.st_mode)) {
    std::error_code failed;
    const fs::path target = fs::canonical(path, failed);
    if (failed) return core::from_errno("open " + path, failed.value());
    STRATA_TRY(made.open_regular(target.string()));
    // What takes the place of a file is as open to others as that was.
    if (::fchmod(made.file_, found.st_mode & 0777) != 0) return core::from_errno("open " + path, errno);
    if (::geteuid() == 0 && ::fchown(made.file_, found.st_uid, found.st_gid) != 0)
      return core::from_errno("open " + path, errno);
    return made;
  }
  made.file_ = ::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (made.file_ < 0) return core::from_errno("open " + path, errno);
  made.owned_ = true;
  return made;
}

output_file output_file::standard_output() {
  output_file made;
  made.shown_ = "standard output";
  made.file_ = STDOUT_FILENO;
  return made;
}

output_file::output_file(output_file&& other) noexcept
    : shown_(std::move(other.shown_)),
      path_(std::exchange(other.path_, {})),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::exchange(other.file_, -1)),
      owned_(std::exchange(other.owned_, false)),
      bytes_(other.bytes_) {}

output_file::~output_file() {
  if (owned_ && file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

core::result<void> output_file::open_regular(std::string path) {
  path_ = std::move(path);
  owned_ = true;
  file_ = ::open(directory_of(path_).c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, mode_of_new);
  if (file_ >= 0) return {};
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    return core::from_errno("make a file in " + directory_of(path_), errno);
  // A name that nobody has: what stands there under a guessable one may be somebody's.
  std::string pattern = path_ + ".part-XXXXXX";
  file_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (file_ < 0) return core::from_errno("make " + pattern, errno);
  temporary_ = std::move(pattern);
  return {};
}

core::result<void> output_file::write(core::bytes_view data) {
  bytes_ += data.size();
  while (!data.empty()) {
    const ssize_t written = ::write(file_, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return core::from_errno("write " + shown_, errno);
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

/// Gives the unnamed file a name beside the one it is to get: only a rename replaces.
core::result<void> output_file::name_it() {
  const std::string unnamed = "/proc/self/fd/" + std::to_string(file_);
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    path_.clear();
    return {};
  }
  if (errno != EEXIST) return core::from_errno("name " + shown_, errno);
  for (int i = 0; i < 100; ++i) {
    const std::string name = path_ + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(i);
    if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = name;
      return {};
    }
    if (errno != EEXIST) break;
  }
  return core::from_errno("name " + shown_, errno);
}

core::result<void> output_file::finish() {
  if (!owned_) return {};
  // Devices and FIFOs have nothing to make durable.
  if (!path_.empty() && ::fsync(file_) != 0) return core::from_errno("finish " + shown_, errno);
  if (!path_.empty() && temporary_.empty()) STRATA_TRY(name_it());
  if (::close(std::exchange(file_, -1)) != 0) return core::from_errno("finish " + shown_, errno);
  if (path_.empty()) return {};
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return core::from_errno("finish " + shown_, errno);
  temporary_.clear();
  return {};
}

}  // namespace strata::control
