#pragma once

#include <cstdint>
#include <span>

#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::page_files {

/// An access to a marked file that the kernel holds until it is answered.
struct access_event {
  int fd = -1;  ///< of the file, for reading and writing without an event. The reader of the event owns it
  std::int32_t process = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< bytes; 0: a truncation to `offset`, or what looks like one
};

/// A group of fanotify pre-content events (Linux 6.14 and later, CAP_SYS_ADMIN): system calls only.
///
/// While any process holds the group's descriptor, an access to a marked file that nobody answers blocks, and SIGKILL
/// ends the process that waits. When the last holder is gone the kernel allows everything, and a page that is missing
/// reads as zeros. So every process that uses the files inherits the descriptor.
class fanotify_group {
 public:
  /// Descriptors of events have numbers below, in a process that has lowered its limit of descriptors to it.
  static constexpr int numbers_max = 4096;

  /// errc::unsupported when the kernel has no such events, errc::permission_denied without the capability. The
  /// descriptor does not block and is closed on exec; a process that starts another one clears that in the child.
  static core::result<fanotify_group> make();
  /// A group that was made elsewhere and inherited.
  explicit fanotify_group(io::unique_fd inherited) : fd_(std::move(inherited)) {}

  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Marks the file that a descriptor is open on. Descriptors that are open already raise no events, ever.
  /// errc::unsupported when its file system has no such events (tmpfs, overlayfs).
  core::result<void> mark(int file) const;
  /// From now on the file raises no events, also through descriptors that are open.
  core::result<void> ignore(int file) const;
  /// The same, and the kernel forgets the file. It raises no event again before it is marked anew, and through
  /// descriptors that are open now it never does. No mark is a success.
  core::result<void> unmark(int file) const;

  /// Takes as many waiting events as fit into `into`; 0: none waits.
  core::result<std::size_t> read(std::span<access_event> into) const;
  /// Answers the event with this descriptor number, which need not be open. errc::not_found when no event has it.
  /// Call it before closing the descriptor: the number could name two events otherwise.
  core::result<void> allow(int number) const;
  /// The access fails with ENOSPC for errc::disk_full, EBUSY for errc::busy and EIO for anything else.
  core::result<void> deny(int number, core::errc why) const;

 private:
  io::unique_fd fd_;
};

}  // namespace strata::page_files
