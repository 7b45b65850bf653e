#include "control/writer_lock.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>

#include "control/failure.hpp"

namespace strata::control {
namespace {

/// Two branches with one place wait for each other, and no more.
off_t place_of(const core::timeline_id& branch) {
  std::uint64_t place = 0;
  std::memcpy(&place, branch.value.data(), sizeof place);
  return static_cast<off_t>(place >> 2);
}

}  // namespace

std::optional<writer_lock> writer_lock::take(const scope& of, const core::timeline_id& branch) {
  const std::string directory = of.directory + "/computes";
  const std::string path = directory + "/.writers";
  const auto failed = [&path](int code) {
    return failure(core::from_errno("lock " + path, code), "can't start a compute", "");
  };
  std::error_code not_made;
  std::filesystem::create_directories(directory, not_made);
  io::unique_fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) throw failed(errno);
  struct flock wanted {};
  wanted.l_type = F_WRLCK;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = place_of(branch);
  wanted.l_len = 1;
  if (::fcntl(file.get(), F_OFD_SETLK, &wanted) == 0) return writer_lock(std::move(file));
  if (errno == EAGAIN || errno == EACCES) return std::nullopt;
  throw failed(errno);
}

}  // namespace strata::control
