#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/log.hpp"
#include "page_files/fuse_operations.hpp"

namespace strata::page_files {
namespace {

/// The thread's own buffer for what it reads.
std::uint8_t* buffer_of_thread(std::size_t size) {
  thread_local std::unique_ptr<std::uint8_t[]> buffer;
  thread_local std::size_t capacity = 0;
  if (capacity < size) {
    buffer.reset(new std::uint8_t[size]);
    capacity = size;
  }
  return buffer.get();
}

/// What the file has of these bytes, fewer only at its end; or a negative errno.
ssize_t read_fully(int fd, std::uint8_t* to, std::size_t size, off_t offset) {
  std::size_t bytes = 0;
  while (bytes < size) {
    const ssize_t done = ::pread(fd, to + bytes, size - bytes, offset + static_cast<off_t>(bytes));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return -errno;
    if (done == 0) break;
    bytes += static_cast<std::size_t>(done);
  }
  return static_cast<ssize_t>(bytes);
}

int write_fully(int fd, const char* bytes, std::size_t size, off_t offset) {
  while (size > 0) {
    const ssize_t done = ::pwrite(fd, bytes, size, offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    if (done == 0) return EIO;
    bytes += done;
    size -= static_cast<std::size_t>(done);
    offset += done;
  }
  return 0;
}

}  // namespace

void fuse_service::lose_write(fuse_node& of, int why) {
  int none = 0;
  if (!of.lost_write.compare_exchange_strong(none, why)) return;
  nodes.keep(of);
  const core::error lost = core::from_errno(
      "write to " + (of.file ? map.file(*of.file).path : "file " + std::to_string(of.inode.inode)), why);
  core::log_error("pages of Postgres are lost: " + core::to_string(lost));
  const std::lock_guard lock(lock_);
  if (!failure_) failure_ = lost;
}

std::optional<core::error> fuse_service::failure() const {
  const std::lock_guard lock(lock_);
  return failure_;
}

void fuse_open_file(fuse_req* request, std::uint64_t number, fuse_file_info* info) {
  fuse_service& in = service_of(request);
  fuse_node& node = node_of(in, number);
  if (const int failed = in.nodes.open(node)) return reply_error(request, failed);
  info->keep_cache = 1;
  info->noflush = 1;
  // The process is gone, and there will be no release.
  if (fuse_reply_open(request, info) == -ENOENT) in.nodes.close(node);
}

void fuse_release_file(fuse_req* request, std::uint64_t number, fuse_file_info*) {
  fuse_service& in = service_of(request);
  in.nodes.close(node_of(in, number));
  reply_error(request, 0);
}

void fuse_read_file(fuse_req* request, std::uint64_t number, std::size_t size, off_t offset, fuse_file_info*) {
  fuse_service& in = service_of(request);
  fuse_node& node = node_of(in, number);
  // What is lost would read as what was there before, or as zeros.
  if (node.lost_write != 0) return reply_error(request, node.lost_write);
  if (node.file && in.map.missing(*node.file) > 0) {
    const auto from = static_cast<std::uint64_t>(offset);
    const bool must_wait = in.pages.missing(*node.file, from, size);
    if (must_wait)
      in.pages.take({.what = fuse_pages::access::kind::read,
                     .file = *node.file,
                     .in = node.content,
                     .offset = from,
                     .size = static_cast<std::uint32_t>(size),
                     .process = fuse_req_ctx(request)->pid,
                     .answer = [request](int failed, core::bytes_view read) {
                       if (failed != 0) return reply_error(request, failed);
                       fuse_reply_buf(request, reinterpret_cast<const char*>(read.data()), read.size());
                     }});
    in.pages.observe(*node.file, node.content, from, size);
    if (must_wait) return;
  }
  std::uint8_t* buffer = buffer_of_thread(size);
  const ssize_t bytes = read_fully(node.content->get(), buffer, size, offset);
  if (bytes < 0) return reply_error(request, static_cast<int>(-bytes));
  fuse_reply_buf(request, reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(bytes));
}

void fuse_write_file(fuse_req* request, std::uint64_t number, const char* bytes, std::size_t size, off_t offset,
                     fuse_file_info*) {
  fuse_service& in = service_of(request);
  fuse_node& node = node_of(in, number);
  const auto answer = [request, &in, &node, size](int failed, core::bytes_view) {
    if (failed == 0) {
      fuse_reply_write(request, size);
      return;
    }
    in.lose_write(node, failed);
    reply_error(request, failed);
  };
  const auto from = static_cast<std::uint64_t>(offset);
  if (node.file && in.map.missing(*node.file) > 0 && in.pages.missing(*node.file, from, size)) {
    in.pages.take({.what = fuse_pages::access::kind::write,
                   .file = *node.file,
                   .in = node.content,
                   .offset = from,
                   .size = static_cast<std::uint32_t>(size),
                   .bytes = {reinterpret_cast<const std::uint8_t*>(bytes), size},
                   .answer = answer});
    return;
  }
  answer(write_fully(node.content->get(), bytes, size, offset), {});
}

void fuse_sync_file(fuse_req* request, std::uint64_t number, int data_only, fuse_file_info*) {
  fuse_service& in = service_of(request);
  fuse_node& node = node_of(in, number);
  if (node.lost_write != 0) return reply_error(request, node.lost_write);
  const int fd = node.content->get();
  const int done = data_only != 0 ? ::fdatasync(fd) : ::fsync(fd);
  reply_error(request, done == 0 ? 0 : errno);
}

void fuse_allocate(fuse_req* request, std::uint64_t number, int mode, off_t offset, off_t length, fuse_file_info*) {
  fuse_service& in = service_of(request);
  fuse_node& node = node_of(in, number);
  // Neither changes what is in the file. The others would have to know which pages are missing; Postgres uses none.
  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) return reply_error(request, EOPNOTSUPP);
  while (::fallocate(node.content->get(), mode, offset, length) != 0)
    if (errno != EINTR) return reply_error(request, errno);
  reply_error(request, 0);
}

void fuse_truncate_file(fuse_req* request, fuse_service& in, fuse_node& node, std::uint64_t size) {
  std::shared_ptr<const io::unique_fd> content;
  if (const int failed = in.nodes.content(node, content)) return reply_error(request, failed);
  const auto answer = [request, &in, &node](int failed, core::bytes_view) {
    if (failed != 0) return reply_error(request, failed);
    reply_attributes(request, in, node);
  };
  if (node.file) {
    in.pages.take({.what = fuse_pages::access::kind::truncate,
                   .file = *node.file,
                   .in = std::move(content),
                   .offset = size,
                   .process = fuse_req_ctx(request)->pid,
                   .answer = answer});
    return;
  }
  while (::ftruncate(content->get(), static_cast<off_t>(size)) != 0)
    if (errno != EINTR) return answer(errno, {});
  answer(0, {});
}

}  // namespace strata::page_files
