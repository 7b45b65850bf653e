#include "page_files/fuse_operations.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <vector>

namespace strata::page_files {
namespace {

/// Every change goes through this kernel, so what it knows stays true.
constexpr double for_long = 86400;

int error_of(int result) { return result < 0 ? errno : 0; }

void init(void* in, fuse_conn_info* connection) {
  const auto want = [&](unsigned capability) {
    if ((connection->capable & capability) != 0) connection->want |= capability;
  };
  // Without it every extension by a page is a request of its own, and bulk loads are three times slower.
  want(FUSE_CAP_WRITEBACK_CACHE);
  want(FUSE_CAP_ASYNC_READ);
  want(FUSE_CAP_PARALLEL_DIROPS);
  want(FUSE_CAP_CACHE_SYMLINKS);
  // O_TRUNC then arrives as a truncation. Locks stay in the kernel. Listings need no attributes: Postgres lists a
  // database's directory to look for names. Buffers are copied: a spliced read would keep pages of the file in a pipe.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_POSIX_LOCKS |
                                             FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                                             FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
  auto& service = *static_cast<fuse_service*>(in);
  connection->max_write = service.transfer_max;
  connection->max_read = service.transfer_max;
  connection->max_readahead = 4 * service.transfer_max;
  connection->max_background = 64;
  connection->congestion_threshold = 48;
}

fuse_entry_param entry_of(const fuse_service& in, const fuse_node& node, const struct stat& about) {
  fuse_entry_param entry{};
  entry.ino = number_of(in, node);
  entry.attr = about;
  entry.attr_timeout = for_long;
  entry.entry_timeout = for_long;
  return entry;
}

/// Of a name that exists now.
void reply_name(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_service& in = service_of(request);
  fuse_node* node = nullptr;
  struct stat about {};
  const int failed = in.nodes.look_up(node_of(in, parent), name, node, about);
  if (failed != 0) return reply_error(request, failed);
  const fuse_entry_param entry = entry_of(in, *node, about);
  fuse_reply_entry(request, &entry);
}

void look_up(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_service& in = service_of(request);
  fuse_node* node = nullptr;
  fuse_entry_param entry{};
  struct stat about {};
  const int failed = in.nodes.look_up(node_of(in, parent), name, node, about);
  if (failed == 0) {
    entry = entry_of(in, *node, about);
  } else if (failed == ENOENT) {
    entry.entry_timeout = for_long;
  } else {
    return reply_error(request, failed);
  }
  fuse_reply_entry(request, &entry);
}

void forget_nodes(fuse_service& in, std::size_t count, const fuse_forget_data* which) {
  const auto gone = [&in](std::uint32_t file) { in.pages.gone(file); };
  for (std::size_t i = 0; i < count; ++i) in.nodes.forget(node_of(in, which[i].ino), which[i].nlookup, gone);
}

void forget(fuse_req_t request, fuse_ino_t number, std::uint64_t count) {
  const fuse_forget_data one{number, count};
  forget_nodes(service_of(request), 1, &one);
  fuse_reply_none(request);
}

void forget_many(fuse_req_t request, std::size_t count, fuse_forget_data* which) {
  forget_nodes(service_of(request), count, which);
  fuse_reply_none(request);
}

void get_attributes(fuse_req_t request, fuse_ino_t number, fuse_file_info*) {
  fuse_service& in = service_of(request);
  reply_attributes(request, in, node_of(in, number));
}

int set_on(const fuse_place& place, const struct stat& wanted, int which) {
  if ((which & FUSE_SET_ATTR_MODE) != 0)
    if (const int failed = error_of(::fchmodat(place.directory, place.name.c_str(), wanted.st_mode & 07777, 0)))
      return failed;
  if ((which & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) {
    const uid_t user = (which & FUSE_SET_ATTR_UID) != 0 ? wanted.st_uid : static_cast<uid_t>(-1);
    const gid_t group = (which & FUSE_SET_ATTR_GID) != 0 ? wanted.st_gid : static_cast<gid_t>(-1);
    const int failed = error_of(::fchownat(place.directory, place.name.c_str(), user, group, place.no_follow()));
    if (failed != 0) return failed;
  }
  constexpr int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
  if ((which & times) == 0) return 0;
  std::array<timespec, 2> at{timespec{0, UTIME_OMIT}, timespec{0, UTIME_OMIT}};
  if ((which & FUSE_SET_ATTR_ATIME) != 0) at[0] = wanted.st_atim;
  if ((which & FUSE_SET_ATTR_MTIME) != 0) at[1] = wanted.st_mtim;
  if ((which & FUSE_SET_ATTR_ATIME_NOW) != 0) at[0].tv_nsec = UTIME_NOW;
  if ((which & FUSE_SET_ATTR_MTIME_NOW) != 0) at[1].tv_nsec = UTIME_NOW;
  return error_of(::utimensat(place.directory, place.name.c_str(), at.data(), place.no_follow()));
}

void set_attributes(fuse_req_t request, fuse_ino_t number, struct stat* wanted, int which, fuse_file_info*) {
  fuse_service& in = service_of(request);
  fuse_node& node = node_of(in, number);
  const int failed = in.nodes.at(node, [&](const fuse_place& place) { return set_on(place, *wanted, which); });
  if (failed != 0) return reply_error(request, failed);
  if ((which & FUSE_SET_ATTR_SIZE) != 0)
    return fuse_truncate_file(request, in, node, static_cast<std::uint64_t>(wanted->st_size));
  reply_attributes(request, in, node);
}

void read_link(fuse_req_t request, fuse_ino_t number) {
  fuse_service& in = service_of(request);
  std::array<char, PATH_MAX + 1> target{};
  const int failed = in.nodes.at(node_of(in, number), [&](const fuse_place& place) {
    // Of a link that was removed there is only a descriptor, which an empty name means.
    if (place.by_descriptor) return ESTALE;
    const ssize_t bytes = ::readlinkat(place.directory, place.name.c_str(), target.data(), target.size() - 1);
    return bytes < 0 ? errno : 0;
  });
  if (failed != 0) return reply_error(request, failed);
  fuse_reply_readlink(request, target.data());
}

/// New files belong to the process that asked, with the mode it asked for: the kernel has applied its umask, and this
/// process's own must not be applied as well.
int give(fuse_req_t request, int directory, const char* name, mode_t mode) {
  const fuse_ctx* by = fuse_req_ctx(request);
  if (::geteuid() == 0 && ::fchownat(directory, name, by->uid, by->gid, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  return S_ISLNK(mode) ? 0 : error_of(::fchmodat(directory, name, mode & 07777, 0));
}

/// Calls `create(directory)` -> int as a system call, and answers with the new name.
template <class Create>
void reply_new(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, Create create) {
  fuse_service& in = service_of(request);
  int directory = -1;
  int failed = in.nodes.directory_fd(node_of(in, parent), directory);
  if (failed == 0) failed = error_of(create(directory));
  if (failed == 0) failed = give(request, directory, name, mode);
  if (failed != 0) return reply_error(request, failed);
  reply_name(request, parent, name);
}

void make_node(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  reply_new(request, parent, name, mode, [&](int directory) { return ::mknodat(directory, name, mode, device); });
}

void make_directory(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  reply_new(request, parent, name, mode, [&](int directory) { return ::mkdirat(directory, name, mode); });
}

void make_link(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  reply_new(request, parent, name, S_IFLNK, [&](int directory) { return ::symlinkat(target, directory, name); });
}

void add_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent, const char* name) {
  fuse_service& in = service_of(request);
  fuse_node& node = node_of(in, number);
  struct stat about {};
  const int failed = in.nodes.add_link(node, node_of(in, parent), name, about);
  if (failed != 0) return reply_error(request, failed);
  const fuse_entry_param entry = entry_of(in, node, about);
  fuse_reply_entry(request, &entry);
}

void remove_file(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_service& in = service_of(request);
  reply_error(request, in.nodes.remove(node_of(in, parent), name, 0));
}

void remove_directory(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_service& in = service_of(request);
  reply_error(request, in.nodes.remove(node_of(in, parent), name, AT_REMOVEDIR));
}

void rename_file(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
                 unsigned flags) {
  fuse_service& in = service_of(request);
  reply_error(request, in.nodes.rename(node_of(in, parent), name, node_of(in, new_parent), new_name, flags));
}

void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* info) {
  fuse_service& in = service_of(request);
  int directory = -1;
  int failed = in.nodes.directory_fd(node_of(in, parent), directory);
  if (failed != 0) return reply_error(request, failed);
  const int flags = O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC;
  io::unique_fd content(::openat(directory, name, flags, mode));
  if (!content) return reply_error(request, errno);
  failed = give(request, directory, name, mode);
  fuse_node* node = nullptr;
  struct stat about {};
  if (failed == 0) failed = in.nodes.look_up(node_of(in, parent), name, node, about);
  if (failed != 0) return reply_error(request, failed);
  in.nodes.adopt(*node, std::move(content));
  info->keep_cache = 1;
  info->noflush = 1;
  const fuse_entry_param entry = entry_of(in, *node, about);
  if (fuse_reply_create(request, &entry, info) == -ENOENT) in.nodes.close(*node);
}

// -- directories --------------------------------------------------------------

struct listing {
  DIR* stream = nullptr;
  off_t offset = 0;
};

void open_directory(fuse_req_t request, fuse_ino_t number, fuse_file_info* info) {
  fuse_service& in = service_of(request);
  int directory = -1;
  if (const int failed = in.nodes.directory_fd(node_of(in, number), directory)) return reply_error(request, failed);
  // A position of its own.
  const int fd = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return reply_error(request, errno);
  auto opened = std::make_unique<listing>();
  opened->stream = ::fdopendir(fd);
  if (opened->stream == nullptr) {
    const int failed = errno;
    ::close(fd);
    return reply_error(request, failed);
  }
  info->fh = reinterpret_cast<std::uint64_t>(opened.get());
  info->keep_cache = 1;
  info->cache_readdir = 1;
  if (fuse_reply_open(request, info) == -ENOENT)
    ::closedir(opened->stream);
  else
    opened.release();
}

void read_directory(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* info) {
  listing& from = *reinterpret_cast<listing*>(info->fh);
  if (offset != from.offset) {
    ::seekdir(from.stream, offset);
    from.offset = offset;
  }
  std::vector<char> buffer(size);
  std::size_t used = 0;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(from.stream);
    if (entry == nullptr) {
      if (errno != 0 && used == 0) return reply_error(request, errno);
      break;
    }
    struct stat about {};
    about.st_ino = entry->d_ino;
    about.st_mode = static_cast<mode_t>(entry->d_type) << 12;
    const std::size_t needs =
        fuse_add_direntry(request, buffer.data() + used, size - used, entry->d_name, &about, entry->d_off);
    if (needs > size - used) {
      ::seekdir(from.stream, from.offset);
      break;
    }
    used += needs;
    from.offset = entry->d_off;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

void release_directory(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  const std::unique_ptr<listing> closed(reinterpret_cast<listing*>(info->fh));
  ::closedir(closed->stream);
  reply_error(request, 0);
}

void sync_directory(fuse_req_t request, fuse_ino_t number, int, fuse_file_info*) {
  fuse_service& in = service_of(request);
  int directory = -1;
  int failed = in.nodes.directory_fd(node_of(in, number), directory);
  if (failed == 0) failed = error_of(::fsync(directory));
  reply_error(request, failed);
}

void describe(fuse_req_t request, fuse_ino_t) {
  struct statvfs about {};
  if (::fstatvfs(service_of(request).nodes.root_fd(), &about) != 0) return reply_error(request, errno);
  fuse_reply_statfs(request, &about);
}

/// What is missing has a meaning of its own: without lseek a file has no holes, which would show what is not there yet;
/// without flush the kernel asks no more at a close; without xattr, ioctl and copy_file_range it does without them.
fuse_lowlevel_ops make_operations() {
  fuse_lowlevel_ops all{};
  all.init = init;
  all.lookup = look_up;
  all.forget = forget;
  all.forget_multi = forget_many;
  all.getattr = get_attributes;
  all.setattr = set_attributes;
  all.readlink = read_link;
  all.mknod = make_node;
  all.mkdir = make_directory;
  all.symlink = make_link;
  all.link = add_link;
  all.unlink = remove_file;
  all.rmdir = remove_directory;
  all.rename = rename_file;
  all.create = create;
  all.opendir = open_directory;
  all.readdir = read_directory;
  all.releasedir = release_directory;
  all.fsyncdir = sync_directory;
  all.statfs = describe;
  all.open = fuse_open_file;
  all.release = fuse_release_file;
  all.read = fuse_read_file;
  all.write = fuse_write_file;
  all.fsync = fuse_sync_file;
  all.fallocate = fuse_allocate;
  return all;
}

}  // namespace

const fuse_lowlevel_ops& fuse_operations() {
  static const fuse_lowlevel_ops all = make_operations();
  return all;
}

fuse_service& service_of(fuse_req* request) { return *static_cast<fuse_service*>(fuse_req_userdata(request)); }

fuse_node& node_of(fuse_service& in, std::uint64_t number) {
  return number == FUSE_ROOT_ID ? in.nodes.root() : *reinterpret_cast<fuse_node*>(number);
}

std::uint64_t number_of(const fuse_service& in, const fuse_node& node) {
  return &node == &in.nodes.root() ? FUSE_ROOT_ID : reinterpret_cast<std::uint64_t>(&node);
}

void reply_error(fuse_req* request, int failed) { fuse_reply_err(request, failed); }

void reply_attributes(fuse_req* request, fuse_service& in, fuse_node& node) {
  struct stat about {};
  if (const int failed = in.nodes.stat(node, about)) return reply_error(request, failed);
  fuse_reply_attr(request, &about, for_long);
}

}  // namespace strata::page_files
