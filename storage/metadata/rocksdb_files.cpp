#include "storage/metadata/rocksdb_files.hpp"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/options.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/bytes.hpp"

namespace strata::storage {

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using thrown_ptr = std::shared_ptr<std::exception_ptr>;

IOStatus status_of(const core::error& why) {
  switch (why.code) {
    case core::errc::not_found: return IOStatus::PathNotFound(why.detail);
    case core::errc::disk_full: return IOStatus::NoSpace(why.detail);
    default: return IOStatus::IOError(why.detail);
  }
}

/// Runs `work`, which returns a core::result<void>, unless the disk has thrown before.
template <class Work>
IOStatus guarded(const thrown_ptr& thrown, Work&& work) noexcept {
  if (!*thrown) try {
      const core::result<void> done = work();
      return done ? IOStatus::OK() : status_of(done.error());
    } catch (...) {
      *thrown = std::current_exception();
    }
  return IOStatus::IOError("the disk has stopped");
}

core::result<void> read_into(const io::file& from, std::uint64_t offset, std::size_t count, Slice* result,
                             char* scratch) {
  STRATA_ASSIGN(const std::size_t got, from.read(offset, {reinterpret_cast<std::uint8_t*>(scratch), count}));
  *result = Slice(scratch, got);
  return {};
}

class sequential_file final : public rocksdb::FSSequentialFile {
 public:
  sequential_file(std::unique_ptr<io::file> file, thrown_ptr thrown)
      : file_(std::move(file)), thrown_(std::move(thrown)) {}
  IOStatus Read(std::size_t count, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
    const IOStatus read = guarded(thrown_, [&] { return read_into(*file_, at_, count, result, scratch); });
    if (read.ok()) at_ += result->size();
    return read;
  }
  IOStatus Skip(std::uint64_t count) override {
    at_ += count;
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<io::file> file_;
  thrown_ptr thrown_;
  std::uint64_t at_ = 0;
};

class random_access_file final : public rocksdb::FSRandomAccessFile {
 public:
  random_access_file(std::unique_ptr<io::file> file, thrown_ptr thrown)
      : file_(std::move(file)), thrown_(std::move(thrown)) {}
  IOStatus Read(std::uint64_t offset, std::size_t count, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return guarded(thrown_, [&] { return read_into(*file_, offset, count, result, scratch); });
  }

 private:
  std::unique_ptr<io::file> file_;
  thrown_ptr thrown_;
};

class writable_file final : public rocksdb::FSWritableFile {
 public:
  writable_file(std::unique_ptr<io::file> file, thrown_ptr thrown)
      : file_(std::move(file)), thrown_(std::move(thrown)) {}
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return guarded(thrown_, [&]() -> core::result<void> {
      const std::array<core::bytes_view, 1> part{
          core::bytes_view(reinterpret_cast<const std::uint8_t*>(data.data()), data.size())};
      STRATA_TRY(file_->write(size_, part));
      size_ += data.size();
      return {};
    });
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    if (size == size_) return IOStatus::OK();
    size_ = size;
    return guarded(thrown_, [&] { return file_->resize(size); });
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return guarded(thrown_, [&] { return file_->sync_unreserved(); });
  }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  std::unique_ptr<io::file> file_;
  thrown_ptr thrown_;
  std::uint64_t size_ = 0;
};

class directory final : public rocksdb::FSDirectory {
 public:
  directory(io::disk& on, std::string path, thrown_ptr thrown)
      : disk_(on), path_(std::move(path)), thrown_(std::move(thrown)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return guarded(thrown_, [&]() -> core::result<void> {
      disk_.sync_directory(path_);
      return {};
    });
  }

 private:
  io::disk& disk_;
  std::string path_;
  thrown_ptr thrown_;
};

class file_system final : public rocksdb::FileSystem {
 public:
  file_system(io::disk& on, thrown_ptr thrown) : disk_(on), thrown_(std::move(thrown)) {}
  const char* Name() const override { return "strata"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result, IODebugContext*) override {
    return guarded(thrown_, [&]() -> core::result<void> {
      STRATA_ASSIGN(auto file, disk_.open_for_reading(path));
      *result = std::make_unique<sequential_file>(std::move(file), thrown_);
      return {};
    });
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext*) override {
    return guarded(thrown_, [&]() -> core::result<void> {
      STRATA_ASSIGN(auto file, disk_.open_for_reading(path));
      *result = std::make_unique<random_access_file>(std::move(file), thrown_);
      return {};
    });
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext*) override {
    return guarded(thrown_, [&]() -> core::result<void> {
      STRATA_TRY(disk_.remove(path));
      STRATA_ASSIGN(auto file, disk_.create(path));
      *result = std::make_unique<writable_file>(std::move(file), thrown_);
      return {};
    });
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext*) override {
    if (!disk_.exists(path)) return IOStatus::PathNotFound(path);
    *result = std::make_unique<directory>(disk_, path, thrown_);
    return IOStatus::OK();
  }

  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_.exists(path) ? IOStatus::OK() : IOStatus::NotFound();
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    return guarded(thrown_, [&]() -> core::result<void> {
      STRATA_ASSIGN(*result, disk_.list(path));
      return {};
    });
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    if (!disk_.exists(path)) return IOStatus::PathNotFound(path);
    return guarded(thrown_, [&] { return disk_.remove(path); });
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return guarded(thrown_, [&] { return disk_.make_directory(path); });
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return guarded(thrown_, [&] { return io::ensure_directory(disk_, path); });
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return guarded(thrown_, [&] { return disk_.remove_directory(path); });
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size, IODebugContext*) override {
    return guarded(thrown_, [&]() -> core::result<void> {
      STRATA_ASSIGN(*size, disk_.file_size(path));
      return {};
    });
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;  // RocksDB needs it only for informational output
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    return guarded(thrown_, [&] { return disk_.rename(from, to); });
  }
  /// The metadata has its own lock.
  IOStatus LockFile(const std::string&, const IOOptions&, rocksdb::FileLock** lock, IODebugContext*) override {
    *lock = new rocksdb::FileLock;
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override {
    return IOStatus::NotSupported();
  }
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>*,
                     IODebugContext*) override {
    return IOStatus::NotSupported();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result, IODebugContext*) override {
    *result = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is, IODebugContext*) override {
    if (!disk_.exists(path)) return IOStatus::PathNotFound(path);
    *is = !disk_.file_size(path).has_value();
    return IOStatus::OK();
  }

 private:
  io::disk& disk_;
  thrown_ptr thrown_;
};

/// Otherwise RocksDB's own log is a file with time stamps.
class no_logger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

rocksdb_files::rocksdb_files(io::disk& on)
    : thrown_(std::make_shared<std::exception_ptr>()),
      environment_(rocksdb::NewCompositeEnv(std::make_shared<file_system>(on, thrown_))) {}
rocksdb_files::~rocksdb_files() = default;

void rocksdb_files::use_in(rocksdb::Options& options) {
  options.env = environment_.get();
  options.info_log = std::make_shared<no_logger>();
}

void rocksdb_files::guard(const std::function<void()>& work) noexcept {
  (void)guarded(thrown_, [&]() -> core::result<void> {
    work();
    return {};
  });
}

void rocksdb_files::rethrow() const {
  if (*thrown_) std::rethrow_exception(*thrown_);
}

}  // namespace strata::storage
