#pragma once

#include <cstdint>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::io {

core::result<unique_fd> open_for_reading(const std::string& path);

/// Fills `to` from `offset`. errc::corrupt if the file ends before; errors name the file and the offset.
core::result<void> read_at(const unique_fd& from, std::uint64_t offset, core::bytes_span to, const std::string& path);

/// fsync of a file or directory. A failure ends the process: the kernel may have dropped the written pages, and a
/// second fsync would not report it. Exception: a full disk is reported as an error.
core::result<void> sync_or_die(const unique_fd& file, const std::string& path);
core::result<void> sync_directory(const std::string& directory);

/// A file that appears under its name only when it is complete: written under a temporary name in the same directory,
/// made durable, renamed. Removed by the destructor unless committed.
class new_file {
 public:
  static core::result<new_file> create(const std::string& temporary_path);
  new_file(new_file&&) noexcept = default;
  new_file& operator=(new_file&&) = delete;
  ~new_file();

  /// Appends through a buffer.
  core::result<void> append(core::bytes_view bytes);
  [[nodiscard]] std::uint64_t size() const { return written_ + buffer_.size(); }
  /// Renames the file to its final name, durably unless requested otherwise. On an error the file is removed.
  core::result<void> commit(const std::string& final_path, bool durable = true);

 private:
  new_file(unique_fd file, std::string path);
  core::result<void> write_out();

  unique_fd file_;
  std::string path_;
  core::bytes buffer_;
  std::uint64_t written_ = 0;
  std::uint64_t writeback_started_ = 0;
};

/// Makes an already written file durable under its final name.
core::result<void> publish_file(const std::string& temporary_path, const std::string& final_path);

inline constexpr const char* temporary_suffix = ".tmp";

}  // namespace strata::io
