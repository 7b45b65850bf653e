#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::io {

/// A file of a disk, so that tests can lose, tear and refuse what is written. Errors name the file. Reading may happen
/// beside writing, from another thread; everything else one thread at a time.
class file {
 public:
  virtual ~file() = default;
  [[nodiscard]] virtual core::result<std::uint64_t> size() const = 0;
  /// Writes the parts one behind the other. errc::disk_full: some of it may be there.
  virtual core::result<void> write(std::uint64_t offset, std::span<const core::bytes_view> parts) = 0;
  /// How much of `to` was there to be read.
  [[nodiscard]] virtual core::result<std::size_t> read(std::uint64_t offset, core::bytes_span to) const = 0;
  /// Durable on return. A failure ends the process: the kernel may have dropped what was written, and a second attempt
  /// would not tell.
  virtual void sync() = 0;
  /// The same for a file whose room was not reserved by resize(): errc::disk_full may come as late as here.
  virtual core::result<void> sync_unreserved() = 0;
  /// The bytes are complete and will be synced: the disk may begin with them.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t count) = 0;
  /// Cuts, or grows by bytes that read as zero and have their place on the disk: errc::disk_full comes here, not from a
  /// later sync.
  virtual core::result<void> resize(std::uint64_t size) = 0;
};

/// Thread safe.
class disk {
 public:
  virtual ~disk() = default;
  /// errc::conflict when it exists.
  virtual core::result<std::unique_ptr<file>> create(const std::string& path) = 0;
  /// errc::not_found.
  virtual core::result<std::unique_ptr<file>> open(const std::string& path) = 0;
  /// For size, read and the syncs; also on a file system that cannot be written any more.
  virtual core::result<std::unique_ptr<file>> open_for_reading(const std::string& path) = 0;
  /// A file or a directory. False also when the disk does not say.
  virtual bool exists(const std::string& path) = 0;
  /// errc::not_found when there is no such file; a directory is none.
  virtual core::result<std::uint64_t> file_size(const std::string& path) = 0;
  /// Over an existing file, too. Of a directory: over nothing.
  virtual core::result<void> rename(const std::string& from, const std::string& to) = 0;
  /// Two names of one directory change their places in one step. errc::unsupported when the file system cannot.
  virtual core::result<void> exchange(const std::string& one, const std::string& other) = 0;
  /// A second name of a file.
  virtual core::result<void> link(const std::string& existing, const std::string& path) = 0;
  /// No error when there is none.
  virtual core::result<void> remove(const std::string& path) = 0;
  /// errc::conflict when it exists. Durable with the next sync_directory of its parent.
  virtual core::result<void> make_directory(const std::string& path) = 0;
  /// With everything in it.
  virtual core::result<void> remove_directory(const std::string& path) = 0;
  /// Names, without the path, sorted.
  virtual core::result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// Creations, renames and removals in it are durable on return; a failure ends the process.
  virtual void sync_directory(const std::string& directory) = 0;
  [[nodiscard]] virtual core::result<std::uint64_t> free_bytes(const std::string& directory) = 0;
  /// Of the file system, used or free.
  [[nodiscard]] virtual core::result<std::uint64_t> size_bytes(const std::string& directory) = 0;
};

/// The machine's.
disk& real_disk();

/// make_directory, but one that is there already is as good.
inline core::result<void> ensure_directory(disk& on, const std::string& path) {
  auto made = on.make_directory(path);
  if (!made && made.error().code != core::errc::conflict) return std::move(made).error();
  return {};
}

}  // namespace strata::io
