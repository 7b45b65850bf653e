#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "page_files/fuse_door.hpp"
#include "tests/page_files_fuse/scripted_source.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

/// Whether FUSE works here; says in the log why it does not.
boost::test_tools::assertion_result fuse_works(boost::unit_test::test_unit_id);

/// Runs a door and its source in a thread of its own.
class door_thread {
 public:
  door_thread(page_files::fuse_door_options options, page_files::page_map& map, scripted_source& source);
  /// Unmounts first.
  ~door_thread();
  door_thread(const door_thread&) = delete;
  page_files::fuse_door& door() { return *door_; }

 private:
  void loop();
  scripted_source& source_;
  std::unique_ptr<page_files::fuse_door> door_;
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

/// Sparse files below "below/base/5", as a builder of data directories leaves them. base/5/16384 and on.
struct sparse_directory {
  /// Pages of each file.
  explicit sparse_directory(const std::vector<std::uint32_t>& pages);
  temp_dir home;
  std::vector<page_files::sparse_file> files;
  std::optional<page_files::page_map> map;
};

/// The same, mounted, with pages of append_made_page().
struct mounted_files : sparse_directory {
  explicit mounted_files(const std::vector<std::uint32_t>& pages);
  [[nodiscard]] std::filesystem::path path(std::size_t file = 0) const;
  [[nodiscard]] core::bytes made(std::uint32_t first, std::uint32_t count, std::size_t file = 0) const;
  /// Drops what the kernel has cached of a file, so that the next read asks the door.
  static void drop_cache(const std::filesystem::path& of);
  page_files::fuse_door& door() { return thread->door(); }

  scripted_source source;
  std::unique_ptr<door_thread> thread;
};

scripted_source::contents made_pages();

/// A descriptor, and reads and writes that must succeed as a whole.
class open_file {
 public:
  explicit open_file(const std::filesystem::path& path, int flags = 2 /* O_RDWR */);
  [[nodiscard]] core::bytes read(std::uint64_t offset, std::size_t size) const;
  /// 0 or an errno.
  int try_read(std::uint64_t offset, std::size_t size) const;
  void write(std::uint64_t offset, core::bytes_view bytes) const;
  void truncate(std::uint64_t size) const;
  void sync() const;
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  io::unique_fd fd_;
};

/// Waits for a condition, at most ten seconds.
template <class Condition>
bool comes_true(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace strata::tests
