#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::storage {

/// A file descriptor that closes itself.
class file_handle {
 public:
  file_handle() = default;
  explicit file_handle(int descriptor) : descriptor_(descriptor) {}
  file_handle(file_handle&& from) noexcept : descriptor_(std::exchange(from.descriptor_, -1)) {}
  file_handle& operator=(file_handle&& from) noexcept;
  ~file_handle();
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

core::result<file_handle> open_for_reading(const std::string& path);

/// Fills `to` from `offset`. A file that ends before is errc::corrupt; both name the file and the offset.
core::result<void> read_at(const file_handle& from, std::uint64_t offset, core::bytes_span to, const std::string& path);

/// fsync of a file or directory. A failure ends the process: the kernel may have dropped what was written, and a second
/// fsync would not tell. Running out of space is the exception, it is reported.
core::result<void> sync_or_die(const file_handle& file, const std::string& path);
core::result<void> sync_directory(const std::string& directory);

/// A file that appears under its name only when it is whole: written under a temporary name beside it, made durable,
/// renamed. Removed by the destructor unless committed.
class new_file {
 public:
  static core::result<new_file> create(const std::string& temporary_path);
  new_file(new_file&&) noexcept = default;
  new_file& operator=(new_file&&) = delete;
  ~new_file();

  /// Appends through a buffer.
  core::result<void> append(core::bytes_view bytes);
  [[nodiscard]] std::uint64_t size() const { return written_ + buffer_.size(); }
  /// Makes it durable under its final name; errors leave nothing behind.
  core::result<void> commit(const std::string& final_path);

 private:
  new_file(file_handle file, std::string path);
  core::result<void> write_out();

  file_handle file_;
  std::string path_;
  core::bytes buffer_;
  std::uint64_t written_ = 0;
  std::uint64_t writeback_started_ = 0;
};

/// Makes an already written file durable under its final name.
core::result<void> publish_file(const std::string& temporary_path, const std::string& final_path);

inline constexpr const char* temporary_suffix = ".tmp";

}  // namespace strata::storage
