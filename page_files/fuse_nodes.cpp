#include "page_files/fuse_nodes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "core/check.hpp"

namespace strata::page_files {
namespace {

inode_id id_of(const struct stat& about) { return {about.st_dev, about.st_ino}; }

int error_of(int result) { return result < 0 ? errno : 0; }

}  // namespace

int fuse_place::no_follow() const { return by_descriptor ? 0 : AT_SYMLINK_NOFOLLOW; }

fuse_nodes::fuse_nodes(io::unique_fd directory, const page_map& map) : map_(map) {
  root_.held = std::move(directory);
  root_.is_directory = true;
  root_.references = 1;
}

int fuse_nodes::place_of(fuse_node& node, fuse_place& place) {
  if (node.held) {
    place = {AT_FDCWD, "/proc/self/fd/" + std::to_string(node.held.get()), true};
    return 0;
  }
  place.name = node.name;
  return directory_fd(*node.parent, place.directory);
}

int fuse_nodes::directory_fd(fuse_node& node, int& fd) {
  const std::lock_guard lock(node.opening);
  if (!node.directory) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    if (node.held) {
      node.directory = io::unique_fd(::openat(node.held.get(), ".", flags));
    } else {
      // The lock of names is held: a parent is never locked after its child.
      int parent = -1;
      if (const int failed = directory_fd(*node.parent, parent)) return failed;
      node.directory = io::unique_fd(::openat(parent, node.name.c_str(), flags));
    }
    if (!node.directory) return errno;
  }
  fd = node.directory.get();
  return 0;
}

fuse_node* fuse_nodes::find(const struct stat& about) {
  const auto found = nodes_.find(id_of(about));
  return found == nodes_.end() ? nullptr : found->second.get();
}

int fuse_nodes::look_up(fuse_node& parent, const std::string& name, fuse_node*& node, struct stat& about) {
  const std::unique_lock lock(names_);
  int directory = -1;
  if (const int failed = directory_fd(parent, directory)) return failed;
  if (::fstatat(directory, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  node = find(about);
  if (node == nullptr) {
    auto made = std::make_unique<fuse_node>();
    made->inode = id_of(about);
    made->is_directory = S_ISDIR(about.st_mode);
    if (S_ISREG(about.st_mode)) made->file = map_.find(made->inode);
    made->parent = &parent;
    made->name = name;
    ++parent.references;
    node = made.get();
    nodes_.emplace(node->inode, std::move(made));
  } else if (node->parent == nullptr) {
    // Its other name was removed.
    node->parent = &parent;
    node->name = name;
    ++parent.references;
  }
  ++node->references;
  return 0;
}

int fuse_nodes::add_link(fuse_node& node, fuse_node& parent, const std::string& name, struct stat& about) {
  {
    const std::unique_lock lock(names_);
    fuse_place from;
    if (const int failed = place_of(node, from)) return failed;
    int directory = -1;
    if (const int failed = directory_fd(parent, directory)) return failed;
    const int flags = from.by_descriptor ? AT_SYMLINK_FOLLOW : 0;
    if (::linkat(from.directory, from.name.c_str(), directory, name.c_str(), flags) != 0) return errno;
  }
  fuse_node* same = nullptr;
  return look_up(parent, name, same, about);
}

int fuse_nodes::hold(fuse_node& parent, const std::string& name, fuse_node*& node) {
  node = nullptr;
  int directory = -1;
  if (const int failed = directory_fd(parent, directory)) return failed;
  struct stat about {};
  if (::fstatat(directory, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  fuse_node* found = find(about);
  if (found == nullptr || found->held || found->parent != &parent || found->name != name) return 0;
  found->held = io::unique_fd(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!found->held) return errno;
  node = found;
  return 0;
}

/// Neither reference can be the last one: the kernel knows both, since it asks about a name in the parent, which it has
/// looked up before.
void fuse_nodes::lose_name(fuse_node& node) {
  if (std::exchange(node.is_kept, false)) --node.references;
  --node.parent->references;
  node.parent = nullptr;
}

int fuse_nodes::remove(fuse_node& parent, const std::string& name, int flags) {
  const std::unique_lock lock(names_);
  fuse_node* node = nullptr;
  if (const int failed = hold(parent, name, node)) return failed;
  int directory = -1;
  if (const int failed = directory_fd(parent, directory)) return failed;
  if (::unlinkat(directory, name.c_str(), flags) != 0) {
    const int failed = errno;
    if (node != nullptr) node->held = {};
    return failed;
  }
  if (node != nullptr) lose_name(*node);
  return 0;
}

int fuse_nodes::rename(fuse_node& from, const std::string& name, fuse_node& to, const std::string& new_name,
                       unsigned flags) {
  const std::unique_lock lock(names_);
  int from_fd = -1;
  int to_fd = -1;
  if (const int failed = directory_fd(from, from_fd)) return failed;
  if (const int failed = directory_fd(to, to_fd)) return failed;
  struct stat about {};
  if (::fstatat(from_fd, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  fuse_node* moved = find(about);
  if (moved != nullptr && (moved->parent != &from || moved->name != name)) moved = nullptr;
  fuse_node* replaced = nullptr;
  if (const int failed = hold(to, new_name, replaced); failed != 0 && failed != ENOENT) return failed;
  const int failed = error_of(::renameat2(from_fd, name.c_str(), to_fd, new_name.c_str(), flags));
  if (failed != 0 || moved == replaced) {
    // Two names of one file: rename() does nothing then.
    if (replaced != nullptr) replaced->held = {};
    return failed;
  }
  if (replaced != nullptr && (flags & RENAME_EXCHANGE) == 0) lose_name(*replaced);
  if (replaced != nullptr && (flags & RENAME_EXCHANGE) != 0) {
    replaced->held = {};
    --to.references;
    ++from.references;
    replaced->parent = &from;
    replaced->name = name;
  }
  if (moved != nullptr) {
    --from.references;
    ++to.references;
    moved->parent = &to;
    moved->name = new_name;
  }
  return 0;
}

void fuse_nodes::forget(fuse_node& node, std::uint64_t count, const std::function<void(std::uint32_t)>& gone) {
  const std::unique_lock lock(names_);
  fuse_node* next = &node;
  while (next != nullptr && next != &root_) {
    core::check(next->references >= count, "the kernel forgets only what it has looked up");
    next->references -= count;
    if (next->references > 0) return;
    fuse_node* parent = next->parent;
    if (next->file && next->held) {
      struct stat about {};
      if (::fstat(next->held.get(), &about) == 0 && about.st_nlink == 0) gone(*next->file);
    }
    const inode_id of = next->inode;
    nodes_.erase(of);
    next = parent;
    count = 1;
  }
}

void fuse_nodes::keep(fuse_node& node) {
  const std::unique_lock lock(names_);
  if (node.parent == nullptr || node.is_kept) return;
  ++node.references;
  node.is_kept = true;
}

int fuse_nodes::stat(fuse_node& node, struct stat& about) {
  return at(node, [&](const fuse_place& place) {
    return error_of(::fstatat(place.directory, place.name.c_str(), &about, place.no_follow()));
  });
}

int fuse_nodes::open(fuse_node& node) {
  return at(node, [&](const fuse_place& place) {
    const std::lock_guard lock(node.opening);
    if (node.opens == 0) {
      const int flags = O_CLOEXEC | O_NONBLOCK | (place.by_descriptor ? 0 : O_NOFOLLOW);
      int fd = ::openat(place.directory, place.name.c_str(), O_RDWR | flags);
      if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM))
        fd = ::openat(place.directory, place.name.c_str(), O_RDONLY | flags);
      if (fd < 0) return errno;
      node.content = std::make_shared<const io::unique_fd>(fd);
    }
    ++node.opens;
    return 0;
  });
}

void fuse_nodes::adopt(fuse_node& node, io::unique_fd content) {
  const std::lock_guard lock(node.opening);
  if (node.opens++ == 0) node.content = std::make_shared<const io::unique_fd>(std::move(content));
}

void fuse_nodes::close(fuse_node& node) {
  const std::lock_guard lock(node.opening);
  core::check(node.opens > 0, "only an open file is released");
  if (--node.opens == 0) node.content.reset();
}

int fuse_nodes::content(fuse_node& node, std::shared_ptr<const io::unique_fd>& opened) {
  if (const int failed = open(node)) return failed;
  {
    const std::lock_guard lock(node.opening);
    opened = node.content;
  }
  close(node);
  return 0;
}

}  // namespace strata::page_files
