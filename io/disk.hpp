#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::io {

/// A file of a disk, so that tests can lose, tear and refuse writes. Errors name the file. Reads may run concurrently
/// with writes; all other calls need one thread at a time.
class file {
 public:
  virtual ~file() = default;
  [[nodiscard]] virtual core::result<std::uint64_t> size() const = 0;
  /// Writes the parts one after another. errc::disk_full: a part of them may have been written.
  virtual core::result<void> write(std::uint64_t offset, std::span<const core::bytes_view> parts) = 0;
  /// Returns the number of bytes read; less than `to` at the end of the file.
  [[nodiscard]] virtual core::result<std::size_t> read(std::uint64_t offset, core::bytes_span to) const = 0;
  /// Durable on return. A failure ends the process: the kernel may have dropped the written pages, and a second attempt
  /// would not report it.
  virtual void sync() = 0;
  /// As sync(), for a file whose space was not allocated by resize(): errc::disk_full may be returned as late as here.
  virtual core::result<void> sync_unreserved() = 0;
  /// A hint: the bytes are final and will be synced, so the disk may start writing them.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t count) = 0;
  /// Truncates, or extends by zero bytes with allocated space: errc::disk_full is returned here, not by a later sync.
  virtual core::result<void> resize(std::uint64_t size) = 0;
};

/// Thread safe.
class disk {
 public:
  virtual ~disk() = default;
  /// errc::conflict if it exists.
  virtual core::result<std::unique_ptr<file>> create(const std::string& path) = 0;
  /// errc::not_found.
  virtual core::result<std::unique_ptr<file>> open(const std::string& path) = 0;
  /// For size, read and the syncs; also on a file system that cannot be written any more.
  virtual core::result<std::unique_ptr<file>> open_for_reading(const std::string& path) = 0;
  /// A file or a directory. False also when the disk does not say.
  virtual bool exists(const std::string& path) = 0;
  /// errc::not_found when there is no such file; a directory is none.
  virtual core::result<std::uint64_t> file_size(const std::string& path) = 0;
  /// Replaces an existing file; a directory replaces nothing.
  virtual core::result<void> rename(const std::string& from, const std::string& to) = 0;
  /// Two names of one directory change their places in one step. errc::unsupported when the file system cannot.
  virtual core::result<void> exchange(const std::string& one, const std::string& other) = 0;
  /// A second name of a file.
  virtual core::result<void> link(const std::string& existing, const std::string& path) = 0;
  /// No error if it does not exist.
  virtual core::result<void> remove(const std::string& path) = 0;
  /// errc::conflict if it exists. Durable after the next sync_directory of its parent.
  virtual core::result<void> make_directory(const std::string& path) = 0;
  /// Recursively.
  virtual core::result<void> remove_directory(const std::string& path) = 0;
  /// Names without the path, sorted.
  virtual core::result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// Creations, renames and removals in it are durable on return; a failure ends the process.
  virtual void sync_directory(const std::string& directory) = 0;
  [[nodiscard]] virtual core::result<std::uint64_t> free_bytes(const std::string& directory) = 0;
  /// Of the file system, used or free.
  [[nodiscard]] virtual core::result<std::uint64_t> size_bytes(const std::string& directory) = 0;
};

/// The disk of this machine.
disk& real_disk();

/// As make_directory; no error if the directory exists.
inline core::result<void> ensure_directory(disk& on, const std::string& path) {
  auto made = on.make_directory(path);
  if (!made && made.error().code != core::errc::conflict) return std::move(made).error();
  return {};
}

}  // namespace strata::io
