#include "io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "core/blocking.hpp"
#include "core/check.hpp"

namespace strata::io {

namespace {

constexpr std::size_t buffer_size_bytes = 1u << 20;
/// The kernel is told to start writing this much behind us, so that the final fsync finds little left to do.
constexpr std::uint64_t writeback_step_bytes = 8u << 20;

bool out_of_space(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

core::error write_error(const std::string& path, int error) {
  if (out_of_space(error)) return {core::errc::disk_full, "write " + path + ": no space left"};
  return core::from_errno("write " + path, error);
}

}  // namespace

core::result<unique_fd> open_for_reading(const std::string& path) {
  core::may_block("open a file");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return core::from_errno("open " + path, errno);
  return unique_fd(descriptor);
}

core::result<void> read_at(const unique_fd& from, std::uint64_t offset, core::bytes_span to, const std::string& path) {
  core::may_block("read a file");
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t got = ::pread(from.get(), to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return core::from_errno("read " + path + " at " + std::to_string(offset), errno);
    if (got == 0)
      return core::error{core::errc::corrupt,
                         "read " + path + " at " + std::to_string(offset) + ": the file ends before"};
    done += static_cast<std::size_t>(got);
  }
  return {};
}

core::result<void> sync_or_die(const unique_fd& file, const std::string& path) {
  core::may_block("make a file durable");
  if (::fsync(file.get()) == 0) return {};
  const int error = errno;
  if (out_of_space(error)) return write_error(path, error);
  core::broken_invariant("fsync of " + path + " failed: " + core::from_errno("", error).detail);
}

core::result<void> sync_directory(const std::string& directory) {
  STRATA_ASSIGN(unique_fd handle, open_for_reading(directory));
  return sync_or_die(handle, directory);
}

core::result<void> publish_file(const std::string& temporary_path, const std::string& final_path) {
  core::may_block("rename a file");
  if (::rename(temporary_path.c_str(), final_path.c_str()) != 0)
    return core::from_errno("rename " + temporary_path + " to " + final_path, errno);
  return sync_directory(std::filesystem::path(final_path).parent_path().string());
}

new_file::new_file(unique_fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {
  buffer_.reserve(buffer_size_bytes);
}

core::result<new_file> new_file::create(const std::string& temporary_path) {
  core::may_block("create a file");
  const int descriptor = ::open(temporary_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return core::from_errno("create " + temporary_path, errno);
  return new_file(unique_fd(descriptor), temporary_path);
}

new_file::~new_file() {
  if (file_) ::unlink(path_.c_str());
}

core::result<void> new_file::append(core::bytes_view bytes) {
  while (!bytes.empty()) {
    const std::size_t fits = std::min(bytes.size(), buffer_size_bytes - buffer_.size());
    core::append(buffer_, bytes.first(fits));
    bytes = bytes.subspan(fits);
    if (buffer_.size() == buffer_size_bytes) STRATA_TRY(write_out());
  }
  return {};
}

core::result<void> new_file::write_out() {
  core::may_block("write a file");
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t put = ::write(file_.get(), buffer_.data() + done, buffer_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return write_error(path_, errno);
    done += static_cast<std::size_t>(put);
  }
  written_ += done;
  buffer_.clear();
  if (written_ - writeback_started_ >= writeback_step_bytes) {
    ::sync_file_range(file_.get(), static_cast<off_t>(writeback_started_),
                      static_cast<off_t>(written_ - writeback_started_), SYNC_FILE_RANGE_WRITE);
    writeback_started_ = written_;
  }
  return {};
}

core::result<void> new_file::commit(const std::string& final_path, bool durable) {
  core::may_block("rename a file");
  STRATA_TRY(write_out());
  if (durable) {
    STRATA_TRY(sync_or_die(file_, path_));
    STRATA_TRY(publish_file(path_, final_path));
  } else if (::rename(path_.c_str(), final_path.c_str()) != 0) {
    return core::from_errno("rename " + path_ + " to " + final_path, errno);
  }
  file_ = unique_fd();
  return {};
}

}  // namespace strata::io
