#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "core/result.hpp"
#include "io/unique_fd.hpp"
#include "page_files/page_map.hpp"

namespace strata::page_files {

/// A file or directory of the backing directory that the kernel knows by number. The number is its address.
struct fuse_node {
  // -- never change -------------------------------------------------------
  inode_id inode;
  bool is_directory = false;
  std::optional<std::uint32_t> file;  ///< in the page map

  // -- under fuse_nodes' lock ---------------------------------------------
  fuse_node* parent = nullptr;  ///< of a name that it has; nullptr: it has none that we know, and `held` is open
  std::string name;
  io::unique_fd held;            ///< O_PATH; keeps the inode number from being given to another file
  std::uint64_t references = 0;  ///< lookups of the kernel, nodes that have this one as parent, and keep()
  bool is_kept = false;

  // -- under `opening`, or while the file is open -------------------------
  std::mutex opening;
  std::shared_ptr<const io::unique_fd> content;  ///< of a file that is open, for reading and if possible writing
  std::uint32_t opens = 0;
  io::unique_fd directory;

  /// Bytes that the kernel handed over are lost, for this reason (errno). The file is never read again.
  std::atomic<int> lost_write = 0;
};

/// Where a system call finds a node: a directory and a name in it. Valid as long as the lock.
struct fuse_place {
  int directory = -1;
  std::string name;
  bool by_descriptor = false;  ///< the name is a link below /proc to what is meant
  /// For calls that would otherwise follow a symbolic link.
  [[nodiscard]] int no_follow() const;
};

/// The nodes that the kernel knows. They have names and no descriptors, unless they are open, unlinked, or directories:
/// a cluster has more relations than a process may have descriptors. A name stays true because all renames go through
/// here. Thread safe.
///
/// All functions return errno values as errors are answered to the kernel, 0 for success.
class fuse_nodes {
 public:
  /// `map` outlives it. The directory is the root.
  fuse_nodes(io::unique_fd directory, const page_map& map);

  [[nodiscard]] int root_fd() const { return root_.held.get(); }
  [[nodiscard]] fuse_node& root() { return root_; }
  [[nodiscard]] const fuse_node& root() const { return root_; }

  // -- names --------------------------------------------------------------
  /// One reference more on what has this name; `node` is set.
  int look_up(fuse_node& parent, const std::string& name, fuse_node*& node, struct stat& about);
  /// A name that the caller has just created, as by look_up().
  int add_link(fuse_node& node, fuse_node& parent, const std::string& name, struct stat& about);
  /// `directory` as for unlinkat(): AT_REMOVEDIR or 0.
  int remove(fuse_node& parent, const std::string& name, int flags);
  int rename(fuse_node& from, const std::string& name, fuse_node& to, const std::string& new_name, unsigned flags);
  /// Drops references. `gone` is called for a file of the page map that is gone for good with its last one, before its
  /// inode number can be given to another file.
  void forget(fuse_node& node, std::uint64_t count, const std::function<void(std::uint32_t file)>& gone);
  /// It stays known as long as it has a name.
  void keep(fuse_node& node);

  // -- access -------------------------------------------------------------
  /// Calls `act(const fuse_place&)` -> errno while no name changes.
  template <class Act>
  int at(fuse_node& node, Act act) {
    const std::shared_lock lock(names_);
    fuse_place place;
    if (const int failed = place_of(node, place)) return failed;
    return act(place);
  }
  int stat(fuse_node& node, struct stat& about);
  /// The descriptor of a directory, open as long as the node lives.
  int directory_fd(fuse_node& node, int& fd);
  /// Opens the content, or shares it with those that have it open.
  int open(fuse_node& node);
  /// The same with a descriptor of the file, which was just created.
  void adopt(fuse_node& node, io::unique_fd content);
  void close(fuse_node& node);
  /// For one use, of a file that may be open or not.
  int content(fuse_node& node, std::shared_ptr<const io::unique_fd>& opened);

 private:
  struct hash {
    std::size_t operator()(const inode_id& of) const noexcept {
      return (of.inode ^ of.device << 40) * 0x9E3779B97F4A7C15u;
    }
  };
  int place_of(fuse_node& node, fuse_place& place);
  int hold(fuse_node& parent, const std::string& name, fuse_node*& node);
  void lose_name(fuse_node& node);
  fuse_node* find(const struct stat& about);

  const page_map& map_;
  std::shared_mutex names_;
  fuse_node root_;
  std::unordered_map<inode_id, std::unique_ptr<fuse_node>, hash> nodes_;
};

}  // namespace strata::page_files
