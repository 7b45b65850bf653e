#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/blocking.hpp"
#include "core/log.hpp"
#include "io/disk.hpp"
#include "io/unique_fd.hpp"

namespace strata::io {
namespace {

/// Of one call; longer lists of parts are written by several.
constexpr std::size_t parts_at_once = 64;

bool out_of_space(int saved_errno) { return saved_errno == ENOSPC || saved_errno == EDQUOT || saved_errno == EFBIG; }

core::error failure(const std::string& doing, int saved_errno) {
  if (out_of_space(saved_errno)) return {core::errc::disk_full, doing + ": no space left"};
  return core::from_errno(doing, saved_errno);
}

[[noreturn]] void die_of(const std::string& doing, int saved_errno) {
  core::log(core::log_level::critical,
            core::from_errno(doing, saved_errno).detail +
                "; what was written may be lost, the process ends so that nobody relies on it");
  core::flush_log();
  std::abort();
}

class real_file final : public file {
 public:
  real_file(int number, std::string path) : descriptor_(number), path_(std::move(path)) {}

  core::result<std::uint64_t> size() const override {
    struct stat status {};
    if (::fstat(descriptor_.get(), &status) != 0) return core::from_errno("look at " + path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

  core::result<void> write(std::uint64_t offset, std::span<const core::bytes_view> parts) override {
    core::may_block("write a file");
    std::size_t skip = 0;  // bytes of the first part that are written already
    while (!parts.empty()) {
      if (parts.front().size() == skip) {
        parts = parts.subspan(1);
        skip = 0;
        continue;
      }
      std::array<iovec, parts_at_once> vector{};
      std::size_t count = 0;
      for (const auto& part : parts.first(std::min(parts.size(), vector.size()))) {
        const auto rest = count == 0 ? part.subspan(skip) : part;
        // writev takes what it reads as not const.
        vector[count++] = {const_cast<std::uint8_t*>(rest.data()), rest.size()};
      }
      const ssize_t put =
          ::pwritev(descriptor_.get(), vector.data(), static_cast<int>(count), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return failure("write " + path_ + " at " + std::to_string(offset), errno);
      offset += static_cast<std::uint64_t>(put);
      for (auto done = static_cast<std::size_t>(put); done > 0;) {
        const auto step = std::min(done, parts.front().size() - skip);
        done -= step;
        skip += step;
        if (skip == parts.front().size()) {
          parts = parts.subspan(1);
          skip = 0;
        }
      }
    }
    return {};
  }

  core::result<std::size_t> read(std::uint64_t offset, core::bytes_span to) const override {
    core::may_block("read a file");
    std::size_t done = 0;
    while (done < to.size()) {
      const ssize_t got =
          ::pread(descriptor_.get(), to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return core::from_errno("read " + path_ + " at " + std::to_string(offset), errno);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  void sync() override {
    core::may_block("make a file durable");
    if (::fdatasync(descriptor_.get()) != 0) die_of("make " + path_ + " durable", errno);
  }

  core::result<void> sync_unreserved() override {
    core::may_block("make a file durable");
    if (::fdatasync(descriptor_.get()) == 0) return {};
    if (!out_of_space(errno)) die_of("make " + path_ + " durable", errno);
    return failure("make " + path_ + " durable", errno);
  }

  void start_writeback(std::uint64_t offset, std::uint64_t count) override {
    ::sync_file_range(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(count), SYNC_FILE_RANGE_WRITE);
  }

  core::result<void> resize(std::uint64_t to) override {
    core::may_block("resize a file");
    STRATA_ASSIGN(const auto now, size());
    if (to > now) {
      const int refused = ::posix_fallocate(descriptor_.get(), static_cast<off_t>(now), static_cast<off_t>(to - now));
      if (refused != 0) return failure("reserve room for " + path_, refused);
      return {};
    }
    if (::ftruncate(descriptor_.get(), static_cast<off_t>(to)) != 0) return failure("cut " + path_, errno);
    return {};
  }

 private:
  unique_fd descriptor_;
  std::string path_;
};

class posix_disk final : public disk {
 public:
  core::result<std::unique_ptr<file>> create(const std::string& path) override {
    core::may_block("create a file");
    const int number = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (number < 0 && errno == EEXIST) return core::error{core::errc::conflict, "create " + path + ": it exists"};
    if (number < 0) return failure("create " + path, errno);
    return std::unique_ptr<file>(std::make_unique<real_file>(number, path));
  }

  core::result<std::unique_ptr<file>> open(const std::string& path) override { return open_as(O_RDWR, path); }
  core::result<std::unique_ptr<file>> open_for_reading(const std::string& path) override {
    return open_as(O_RDONLY, path);
  }

  bool exists(const std::string& path) override {
    core::may_block("look at a file");
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0;
  }

  core::result<std::uint64_t> file_size(const std::string& path) override {
    core::may_block("look at a file");
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return core::from_errno("look at " + path, errno);
    if (!S_ISREG(status.st_mode)) return core::error{core::errc::not_found, path + " is not a file"};
    return static_cast<std::uint64_t>(status.st_size);
  }

  core::result<void> rename(const std::string& from, const std::string& to) override {
    core::may_block("rename a file");
    if (::rename(from.c_str(), to.c_str()) != 0) return failure("rename " + from + " to " + to, errno);
    return {};
  }

  core::result<void> exchange(const std::string& one, const std::string& other) override {
    core::may_block("exchange two directories");
    if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0) return {};
    const std::string doing = "exchange " + one + " and " + other;
    if (errno == EINVAL || errno == ENOSYS) return core::error{core::errc::unsupported, doing + ": not possible here"};
    return failure(doing, errno);
  }

  core::result<void> link(const std::string& existing, const std::string& path) override {
    core::may_block("link a file");
    if (::link(existing.c_str(), path.c_str()) != 0) return failure("link " + path + " to " + existing, errno);
    return {};
  }

  core::result<void> remove(const std::string& path) override {
    core::may_block("remove a file");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return core::from_errno("remove " + path, errno);
    return {};
  }

  core::result<void> make_directory(const std::string& path) override {
    core::may_block("make a directory");
    if (::mkdir(path.c_str(), 0755) == 0) return {};
    if (errno == EEXIST) return core::error{core::errc::conflict, "make directory " + path + ": it exists"};
    return failure("make directory " + path, errno);
  }

  core::result<void> remove_directory(const std::string& path) override {
    core::may_block("remove a directory");
    std::error_code problem;
    std::filesystem::remove_all(path, problem);
    if (problem) return core::from_errno("remove " + path, problem.value());
    return {};
  }

  core::result<std::vector<std::string>> list(const std::string& directory) override {
    core::may_block("list a directory");
    DIR* opened = ::opendir(directory.c_str());
    if (opened == nullptr) return core::from_errno("list " + directory, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> closes(opened, ::closedir);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(opened)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
      errno = 0;
    }
    if (errno != 0) return core::from_errno("list " + directory, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  void sync_directory(const std::string& directory) override {
    core::may_block("make a directory durable");
    const unique_fd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened.get() < 0 || ::fsync(opened.get()) != 0) die_of("make directory " + directory + " durable", errno);
  }

  core::result<std::uint64_t> free_bytes(const std::string& directory) override {
    STRATA_ASSIGN(const auto status, status_of(directory));
    return std::uint64_t{status.f_bavail} * status.f_frsize;
  }
  core::result<std::uint64_t> size_bytes(const std::string& directory) override {
    STRATA_ASSIGN(const auto status, status_of(directory));
    return std::uint64_t{status.f_blocks} * status.f_frsize;
  }

 private:
  static core::result<std::unique_ptr<file>> open_as(int access, const std::string& path) {
    core::may_block("open a file");
    const int number = ::open(path.c_str(), access | O_CLOEXEC);
    if (number < 0) return core::from_errno("open " + path, errno);
    return std::unique_ptr<file>(std::make_unique<real_file>(number, path));
  }
  static core::result<struct statvfs> status_of(const std::string& directory) {
    core::may_block("look how much disk is left");
    struct statvfs status {};
    if (::statvfs(directory.c_str(), &status) != 0) return core::from_errno("look at " + directory, errno);
    return status;
  }
};

}  // namespace

disk& real_disk() {
  static posix_disk the_disk;
  return the_disk;
}

}  // namespace strata::io
