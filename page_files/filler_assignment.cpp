#include "page_files/filler_assignment.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace strata::page_files {
namespace {

constexpr std::size_t files_max = 2;

/// Both ends have the same byte order; another version is a program that was exchanged meanwhile.
struct message {
  std::uint32_t version = current_version;
  std::uint32_t files = 0;
  std::uint64_t at = 0;
  static constexpr std::uint32_t current_version = 1;
};

struct control_buffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(files_max * sizeof(int))> bytes{};
};

}  // namespace

core::result<void> send_assignment(int socket, core::lsn at, int map, int group) {
  const std::array<int, files_max> files{map, group};
  message sent{.files = group >= 0 ? 2u : 1u, .at = at.value};
  iovec part{&sent, sizeof sent};
  control_buffer control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = CMSG_SPACE(sent.files * sizeof(int));
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sent.files * sizeof(int));
  std::memcpy(CMSG_DATA(rights), files.data(), sent.files * sizeof(int));
  for (;;) {
    if (::sendmsg(socket, &header, MSG_NOSIGNAL) == sizeof sent) return {};
    if (errno != EINTR) return core::from_errno("give a filler its directory", errno);
  }
}

core::result<std::optional<filler_assignment>> receive_assignment(int socket) {
  message got;
  iovec part{&got, sizeof got};
  control_buffer control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  ssize_t bytes = 0;
  do bytes = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  while (bytes < 0 && errno == EINTR);
  if (bytes < 0 && errno != ECONNRESET) return core::from_errno("wait for a directory to fill", errno);
  if (bytes <= 0) return std::optional<filler_assignment>();
  std::array<io::unique_fd, files_max> files;
  std::size_t count = 0;
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = 0; CMSG_LEN((at + 1) * sizeof(int)) <= each->cmsg_len && count < files_max; ++at) {
      int file = -1;
      std::memcpy(&file, CMSG_DATA(each) + at * sizeof(int), sizeof file);
      files[count++] = io::unique_fd(file);
    }
  }
  if (bytes != sizeof got || got.version != message::current_version || count != got.files || count == 0)
    return core::error{core::errc::corrupt, "wait for a directory to fill: the guard is of another version"};
  return std::optional(filler_assignment{core::lsn{got.at}, std::move(files[0]), std::move(files[1])});
}

}  // namespace strata::page_files
