#include "page_files/directory_entries.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace strata::page_files {
namespace {

core::error refusal(const std::string& doing, int why) {
  if (why == ENOENT || why == ENOTDIR || why == ELOOP)
    return {core::errc::corrupt, doing + ": it is missing, or is a link"};
  return core::from_errno(doing, why);
}

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

}  // namespace

core::result<io::unique_fd> open_data_directory(const std::string& path) {
  io::unique_fd opened(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return core::from_errno("open " + path, errno);
  return opened;
}

core::result<io::unique_fd> open_directory_below(int root, std::string_view path) {
  io::unique_fd opened;
  int above = root;
  for (std::string_view left = path;;) {
    const std::size_t end = std::min(left.find('/'), left.size());
    io::unique_fd next(::openat(above, std::string(left.substr(0, end)).c_str(), directory_flags));
    if (!next) return refusal("open directory " + std::string(path), errno);
    opened = std::move(next);
    if (end == left.size()) return opened;
    above = opened.get();
    left.remove_prefix(end + 1);
  }
}

core::result<core::bytes> read_file_below(int root, const std::string& path, std::uint64_t bytes_max) {
  const std::size_t slash = path.rfind('/');
  io::unique_fd directory;
  if (slash != std::string::npos) {
    STRATA_ASSIGN(directory, open_directory_below(root, std::string_view(path).substr(0, slash)));
  }
  const char* name = slash == std::string::npos ? path.c_str() : path.c_str() + slash + 1;
  // O_NONBLOCK: a FIFO is refused below instead of waited for.
  const io::unique_fd file(
      ::openat(directory ? directory.get() : root, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return refusal("read " + path, errno);
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return core::from_errno("read " + path, errno);
  if (!S_ISREG(found.st_mode) || static_cast<std::uint64_t>(found.st_size) > bytes_max)
    return core::error{core::errc::corrupt, "read " + path + ": it is no file, or is too large"};
  core::bytes content(static_cast<std::size_t>(found.st_size));
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t got = ::read(file.get(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return core::from_errno("read " + path, errno);
    if (got == 0) return core::error{core::errc::corrupt, "read " + path + ": it was shortened"};
    done += static_cast<std::size_t>(got);
  }
  return content;
}

}  // namespace strata::page_files
