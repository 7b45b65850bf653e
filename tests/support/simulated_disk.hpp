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

/// A disk in memory that keeps apart what is durable and what is not. Directories begin with "/"; "/" itself exists.
/// One thread.
class simulated_disk final : public io::disk {
 public:
  enum class call : std::uint8_t {
    create,
    write,
    sync,
    resize,
    rename,
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

  /// The power fails. Every sector written since its file's last sync has one of the contents it had since then, each
  /// on its own; every name one of the meanings it had since its directory's last sync.
  void crash(std::mt19937_64& random);

  /// Changes bits of what is on the disk.
  void flip(const std::string& path, std::uint64_t offset, std::uint8_t mask);
  /// The next read of a file gets bytes from so far away.
  void misdirect_next_read(std::int64_t by) { misdirected_by_ = by; }
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
  core::result<void> rename(const std::string& from, const std::string& to) override;
  core::result<void> remove(const std::string& path) override;
  core::result<void> make_directory(const std::string& path) override;
  core::result<void> remove_directory(const std::string& path) override;
  core::result<std::vector<std::string>> list(const std::string& directory) override;
  void sync_directory(const std::string& directory) override;
  core::result<std::uint64_t> free_bytes(const std::string& directory) override;

 private:
  friend class simulated_file;

  /// A write, or (without bytes) a change of the size.
  struct pending_change {
    std::uint64_t offset = 0;
    core::bytes bytes;
    std::uint64_t size_after = 0;
  };
  struct node {
    bool directory = false;
    core::bytes durable;
    core::bytes current;
    std::vector<pending_change> pending;

    void change(std::uint64_t offset, core::bytes_view bytes, std::uint64_t size_after);
    void sync();
    std::uint64_t crash(std::mt19937_64& random);
  };
  using node_ptr = std::shared_ptr<node>;
  /// What a name means: null is nothing.
  struct name {
    node_ptr durable;
    std::vector<node_ptr> pending;
    [[nodiscard]] const node_ptr& now() const { return pending.empty() ? durable : pending.back(); }
  };

  /// False: the disk is full.
  bool may(call what, const std::string& path);
  [[nodiscard]] node_ptr find(const std::string& path) const;
  void set(const std::string& path, node_ptr meaning) { names_[path].pending.push_back(std::move(meaning)); }

  std::map<std::string, name> names_;
  counts counts_;
  std::int64_t misdirected_by_ = 0;
};

}  // namespace strata::tests
