#pragma once

#include <exception>
#include <functional>
#include <memory>

#include "io/disk.hpp"

namespace rocksdb {
class Env;
struct Options;
}  // namespace rocksdb

namespace strata::storage {

/// The files of one RocksDB on a disk other than the machine's (docs/decisions/0045): the metadata of a simulated
/// server. Calls are sequential while RocksDB does nothing in the background.
///
/// Such a disk may throw when its machine stops, but no exception may pass through RocksDB. It gets an I/O error, for
/// this call and all later ones, and the exception is kept for rethrow().
class rocksdb_files {
 public:
  explicit rocksdb_files(io::disk& on);
  ~rocksdb_files();
  rocksdb_files(const rocksdb_files&) = delete;
  rocksdb_files& operator=(const rocksdb_files&) = delete;

  void use_in(rocksdb::Options& options);
  /// Wraps RocksDB's callbacks.
  void guard(const std::function<void()>& work) noexcept;
  /// Called after every call of RocksDB.
  void rethrow() const;

 private:
  std::shared_ptr<std::exception_ptr> thrown_;
  std::unique_ptr<rocksdb::Env> environment_;
};

}  // namespace strata::storage
