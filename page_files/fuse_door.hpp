#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "page_files/page_map.hpp"
#include "page_files/page_source.hpp"

namespace strata::page_files {

struct fuse_door_options {
  std::string directory;  ///< with the sparse files of the map; nobody else changes anything in it while it is mounted
  std::string mount_point;         ///< an empty directory outside of it
  bool for_other_users = false;    ///< Postgres runs as another user than this process
  std::uint32_t threads = 4;       ///< that take the kernel's requests; none of them waits for a page
  std::uint32_t fetches_max = 64;  ///< in flight
  std::uint32_t pages_max = 2048;  ///< of all fetches in flight
};

/// A data directory that fills itself, as a file system of its own over the sparse files
/// (docs/decisions/0053-fuse-door.md). Every operation is carried out on the directory below. A read of missing pages
/// waits until they were fetched and written there, without a thread; what Postgres writes as whole pages is never
/// fetched.
///
/// Memory: a read or write of the kernel is at most 1 MiB and held by one of the threads; a write that waits for a page
/// holds at most 16 KiB; fetches hold what the source holds, at most `pages_max` pages. The kernel sends at most 64
/// requests in the background, and one for each process.
///
/// This process may use names and small files of the mount, but must not read, write or cut relation files there: a
/// thread that waits in the kernel for its own process keeps it from ending.
///
/// When this process ends, however it ends, every access fails with ENOTCONN. What is mounted then is removed by
/// remove_stale_mount(). A fetch that fails is EIO, one that can't be stored for want of space ENOSPC. A process that
/// waits for a page and is sent SIGINT, SIGTERM or SIGQUIT gets EIO after at most about 50 ms, so that a cancelled
/// query ends.
class fuse_door {
 public:
  struct statistics {
    std::uint64_t fetches = 0;
    std::uint64_t pages = 0;
    std::uint64_t failed = 0;     ///< fetches
    std::uint64_t cancelled = 0;  ///< reads whose process was sent a signal
    std::uint64_t waiting = 0;    ///< now
  };

  /// Mounts it and returns when it answers. Map and source outlive it; nothing else writes to the map.
  /// errc::unsupported or permission_denied as fuse_available() says; errc::conflict when a mount of ours is there.
  static core::result<std::unique_ptr<fuse_door>> mount(const fuse_door_options& with, page_map& map,
                                                        page_source& source);
  /// Detaches it. A process that still has files open gets ENOTCONN. Fetches that it has started may
  /// still be in flight: it is destroyed by the thread of the source, or when that has ended.
  ~fuse_door();
  fuse_door(const fuse_door&) = delete;

  // -- the thread of the source -------------------------------------------
  /// Readable when run() is to be called. Nothing waits while it is not.
  [[nodiscard]] int wake_fd() const;
  void run();

  // -- any thread ---------------------------------------------------------
  /// Returns when these pages of a file are in the directory, or no longer part of the file. errc::not_found: it has no
  /// name any more. Not for the thread of the source, which brings them.
  core::result<void> fetch(std::uint32_t file, std::uint32_t first, std::uint32_t count);
  /// Removes the mount. Returns when everything that was written is in the directory, if no file is open any more. Call
  /// it while the other thread still runs.
  core::result<void> unmount();
  /// Whether the kernel still has use for this process: false after unmount() and when it was unmounted by others.
  [[nodiscard]] bool is_mounted() const;
  /// Set once something that Postgres had written could not be stored, a full disk for example. Reads of that file fail
  /// from then on; Postgres is to be stopped and recreated.
  [[nodiscard]] std::optional<core::error> failure() const;
  [[nodiscard]] statistics counts() const;

 private:
  struct session;
  explicit fuse_door(std::unique_ptr<session> of);
  std::unique_ptr<session> session_;
};

}  // namespace strata::page_files
