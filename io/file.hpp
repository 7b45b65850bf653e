#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"

namespace strata::io {

/// The directory that holds a path: "." when the path names none.
std::string parent_of(const std::string& path);

/// Fills `to` from `offset`. errc::corrupt if the file ends before; errors name the file and the offset.
core::result<void> read_at(const file& from, std::uint64_t offset, core::bytes_span to, const std::string& path);
/// A whole file. errc::not_found; errc::corrupt when it is larger than `size_max`.
core::result<core::bytes> read_file(disk& on, const std::string& path, std::uint64_t size_max);
/// A new file with the same content, which is durable on return; its name is not. errc::conflict when it exists.
core::result<void> copy_file(disk& on, const std::string& from, const std::string& to);
/// Makes what is missing of a path, durably.
core::result<void> make_directories(disk& on, const std::string& path);
/// Gives a file or directory that is durable its final name, durably.
core::result<void> publish_file(disk& on, const std::string& temporary_path, const std::string& final_path);
/// For destructors: a failure is logged, and the next call on the disk reports its reason.
void remove_quietly(disk& on, const std::string& path) noexcept;

/// A file that appears under its name only when it is complete: written under a temporary name in the same directory,
/// made durable, renamed. Removed by the destructor unless committed.
class new_file {
 public:
  /// Replaces what an attempt that was cut off has left under the temporary name. `on` outlives it.
  static core::result<new_file> create(const std::string& temporary_path, disk& on = real_disk());
  new_file(new_file&&) noexcept = default;
  new_file& operator=(new_file&&) = delete;
  ~new_file();

  /// Appends through a buffer.
  core::result<void> append(core::bytes_view bytes);
  [[nodiscard]] std::uint64_t size() const { return written_ + buffer_.size(); }
  /// Renames the file to its final name, durably unless requested otherwise. On an error the file is removed.
  core::result<void> commit(const std::string& final_path, bool durable = true);

 private:
  new_file(disk& on, std::unique_ptr<file> file, std::string path);
  core::result<void> write_out();

  disk* disk_;
  std::unique_ptr<file> file_;
  std::string path_;
  core::bytes buffer_;
  std::uint64_t written_ = 0;
  std::uint64_t writeback_started_ = 0;
};

inline constexpr const char* temporary_suffix = ".tmp";

}  // namespace strata::io
