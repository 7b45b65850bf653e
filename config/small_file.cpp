#include "config/small_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace strata::config {

core::result<std::string> read_small_file(const std::string& path) {
  constexpr std::size_t size_max = 1u << 20;
  const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return core::from_errno("open " + path, errno);
  struct close_it {
    int descriptor;
    ~close_it() { ::close(descriptor); }
  } const closing{file};
  struct stat found {};
  if (::fstat(file, &found) != 0) return core::from_errno("look at " + path, errno);
  if (!S_ISREG(found.st_mode)) return core::error{core::errc::corrupt, path + " is not a regular file"};
  std::string text;
  for (;;) {
    const std::size_t had = text.size();
    text.resize(had + 4096);
    const ssize_t got = ::read(file, &text[had], 4096);
    if (got < 0 && errno != EINTR) return core::from_errno("read " + path, errno);
    text.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0) return text;
    if (text.size() > size_max) return core::error{core::errc::corrupt, path + " is damaged: it has more than 1 MiB"};
  }
}

}  // namespace strata::config
