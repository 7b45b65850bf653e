#pragma once

#include <optional>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::page_files {

/// What a guard sends to its filler, once: a filler is started while its directory is still being made. Over a socket
/// of the kind SOCK_SEQPACKET between two processes of one program.
struct filler_assignment {
  core::lsn at;         ///< of the pages
  io::unique_fd map;    ///< guarded_directory::map()
  io::unique_fd group;  ///< guarded_directory::group(); none: the directory is mounted
};

/// The number of a filler's end of that socket. The map and the group follow: numbers that no event of a predecessor
/// can have had (fanotify_door finds events by the number of their descriptor, and denies those whose number it uses).
inline constexpr int assignment_descriptor = 3;

/// `group` is -1 for a directory that is mounted. An error: the filler has ended.
core::result<void> send_assignment(int socket, core::lsn at, int map, int group);
/// Waits for it. Nothing when the guard has ended, or has no directory for this filler.
core::result<std::optional<filler_assignment>> receive_assignment(int socket);

}  // namespace strata::page_files
