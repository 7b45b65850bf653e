#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/disk.hpp"

namespace strata::tests {

/// The machine has stopped in the middle of a call. Whoever catches it lets go of everything that used the disk, and
/// goes on with simulated_disk::crash().
struct simulated_crash : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A disk in memory that keeps apart what is durable and what is not. Paths begin with "/"; "/" itself exists. One
/// thread.
class simulated_disk final : public io::disk {
 public:
  enum class call : std::uint8_t {
    create,
    write,
    sync,
    resize,
    rename,  ///< exchange and link, too
    remove,
    make_directory,
    remove_directory,
    sync_directory
  };
  enum class fault : std::uint8_t {
    none,
    crash,      ///< the call may have had any part of its effect
    disk_full,  ///< of calls that need room; of a write a part may be done
    lie,        ///< of syncs: it says that it is done and does nothing
  };

  simulated_disk() = default;

  /// Asked before every call that changes something.
  std::function<fault(call, const std::string& path)> decide;
  /// Where `decide` said disk_full: how many sectors of the write are done all the same.
  std::uint64_t sectors_written_when_full = 0;
  /// In which directories a crash keeps changes of names in their order, as the journals of ext4 and XFS do: RocksDB
  /// relies on it. None without it.
  std::function<bool(const std::string& directory)> keeps_order;
  std::uint64_t free = std::uint64_t{1} << 40;
  std::uint64_t size = std::uint64_t{1} << 41;

  /// The power fails. Every sector written since its file's last sync has one of the contents it had since then, each
  /// on its own; every name one of the meanings it had since its directory's last sync, but for keeps_order. A
  /// directory's new name and the loss of its old one go together.
  void crash(std::mt19937_64& random);

  /// Changes bits of what is on the disk.
  void flip(const std::string& path, std::uint64_t offset, std::uint8_t mask);
  /// The next read of a file gets bytes from so far away.
  void misdirect_next_read(std::int64_t by) { misdirected_by_ = by; }
  /// All files, in the order of their paths.
  [[nodiscard]] std::vector<std::string> files() const;
  [[nodiscard]] core::bytes content(const std::string& path) const;
  void set_content(const std::string& path, core::bytes content);

  struct counts {
    std::uint64_t calls = 0;  ///< that change something
    std::uint64_t syncs = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t sectors_lost = 0;  ///< by crashes
    std::uint64_t names_lost = 0;
  };
  [[nodiscard]] const counts& counted() const { return counts_; }

  core::result<std::unique_ptr<io::file>> create(const std::string& path) override;
  core::result<std::unique_ptr<io::file>> open(const std::string& path) override;
  core::result<std::unique_ptr<io::file>> open_for_reading(const std::string& path) override { return open(path); }
  bool exists(const std::string& path) override { return find(path) != nullptr; }
  core::result<std::uint64_t> file_size(const std::string& path) override;
  core::result<void> rename(const std::string& from, const std::string& to) override;
  core::result<void> exchange(const std::string& one, const std::string& other) override;
  core::result<void> link(const std::string& existing, const std::string& path) override;
  core::result<void> remove(const std::string& path) override;
  core::result<void> make_directory(const std::string& path) override;
  core::result<void> remove_directory(const std::string& path) override;
  core::result<std::vector<std::string>> list(const std::string& directory) override;
  void sync_directory(const std::string& directory) override;
  core::result<std::uint64_t> free_bytes(const std::string&) override { return free; }
  core::result<std::uint64_t> size_bytes(const std::string&) override { return size; }

 private:
  friend class simulated_file;

  /// A write, or (without bytes) a change of the size.
  struct pending_change {
    std::uint64_t offset = 0;
    core::bytes bytes;
    std::uint64_t size_after = 0;
  };
  struct node;
  using node_ptr = std::shared_ptr<node>;
  using names = std::map<std::string, node_ptr>;
  /// What names mean from then on; null is nothing.
  using name_change = std::vector<std::pair<std::string, node_ptr>>;

  /// A file, or a directory.
  struct node {
    bool directory = false;
    core::bytes durable;
    core::bytes current;
    std::vector<pending_change> pending;
    names durable_names;
    names current_names;
    std::vector<name_change> pending_names;

    void change(std::uint64_t offset, core::bytes_view bytes, std::uint64_t size_after);
    void change(name_change what);
    void sync();
    std::uint64_t crash(std::mt19937_64& random);
    std::uint64_t crash_names(std::mt19937_64& random, bool in_order);
  };

  /// False: the disk is full.
  bool may(call what, const std::string& path);
  [[nodiscard]] node_ptr find(const std::string& path) const;
  [[nodiscard]] node_ptr parent(const std::string& path) const;
  void crash_below(const std::string& path, node& directory, std::mt19937_64& random, std::map<node*, node_ptr>& done);
  static void list_below(const std::string& path, const node& directory, std::vector<std::string>& into);

  node_ptr root_ = std::make_shared<node>(node{.directory = true});
  counts counts_;
  std::int64_t misdirected_by_ = 0;
};

}  // namespace strata::tests
