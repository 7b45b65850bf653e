#include "host/log_watch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/blocking.hpp"

namespace strata::host {
namespace {

constexpr std::size_t line_max = 16u << 10;
constexpr std::size_t look_max = 1u << 20;

}  // namespace

bool tells_of_cancelled_wait(std::string_view line) {
  return line.find("WARNING:  ") != std::string_view::npos &&
         (line.find("canceling wait for synchronous replication") != std::string_view::npos ||
          line.find("canceling the wait for synchronous replication") != std::string_view::npos);
}

bool tells_of_outgrown_settings(std::string_view line) {
  return line.find("WARNING:  hot standby is not possible because of insufficient parameter settings") !=
         std::string_view::npos;
}

log_watch::log_watch(std::string path, bool (*tells)(std::string_view)) : path_(std::move(path)), tells_(tells) {
  struct stat found {};
  if (::stat(path_.c_str(), &found) == 0) position_ = found.st_size;
}

bool log_watch::has_changed() const {
  struct stat found {};
  return ::stat(path_.c_str(), &found) == 0 && found.st_size != position_;
}

bool log_watch::look() {
  core::may_block("read the log of Postgres");
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  bool told = false;
  char part[4096];
  for (std::size_t read = 0; read < look_max;) {
    const ssize_t got = ::pread(file, part, sizeof part, position_);
    if (got <= 0) break;
    position_ += got;
    read += static_cast<std::size_t>(got);
    for (std::string_view rest(part, static_cast<std::size_t>(got)); !rest.empty();) {
      const std::size_t end = rest.find('\n');
      begun_ += rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (end == std::string_view::npos && begun_.size() < line_max) continue;
      told = told || tells_(begun_);
      begun_.clear();
    }
  }
  ::close(file);
  return told;
}

}  // namespace strata::host
