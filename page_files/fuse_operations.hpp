#pragma once

#include <mutex>
#include <optional>

#include "core/error.hpp"
#include "page_files/fuse_nodes.hpp"
#include "page_files/fuse_pages.hpp"

struct fuse_lowlevel_ops;
struct fuse_req;
struct fuse_file_info;

namespace strata::page_files {

/// What the operations of a mounted file system work on; the user data of its session.
struct fuse_service {
  fuse_service(io::unique_fd directory, page_map& map_of_files, page_source& source, fill_table::options with)
      : map(map_of_files), nodes(std::move(directory), map_of_files), pages(map_of_files, source, with) {}

  page_map& map;
  fuse_nodes nodes;
  fuse_pages pages;
  /// The largest read or write, in bytes, as negotiated.
  std::uint32_t transfer_max = 1u << 20;

  /// Bytes that were handed over by the kernel could not be stored.
  void lose_write(fuse_node& of, int why);
  [[nodiscard]] std::optional<core::error> failure() const;

 private:
  mutable std::mutex lock_;
  std::optional<core::error> failure_;
};

/// The table of operations for libfuse. Names and attributes are in fuse_operations.cpp, content in fuse_content.cpp.
const fuse_lowlevel_ops& fuse_operations();

// Shared by the two.
fuse_service& service_of(fuse_req* request);
fuse_node& node_of(fuse_service& in, std::uint64_t number);
std::uint64_t number_of(const fuse_service& in, const fuse_node& node);
void reply_error(fuse_req* request, int failed);
void reply_attributes(fuse_req* request, fuse_service& in, fuse_node& node);

// -- content ----------------------------------------------------------------
void fuse_open_file(fuse_req* request, std::uint64_t number, fuse_file_info* info);
void fuse_release_file(fuse_req* request, std::uint64_t number, fuse_file_info* info);
void fuse_read_file(fuse_req* request, std::uint64_t number, std::size_t size, off_t offset, fuse_file_info* info);
void fuse_write_file(fuse_req* request, std::uint64_t number, const char* bytes, std::size_t size, off_t offset,
                     fuse_file_info* info);
void fuse_sync_file(fuse_req* request, std::uint64_t number, int data_only, fuse_file_info* info);
void fuse_allocate(fuse_req* request, std::uint64_t number, int mode, off_t offset, off_t length, fuse_file_info* info);
/// Answers the request with the attributes afterwards, maybe later.
void fuse_truncate_file(fuse_req* request, fuse_service& in, fuse_node& node, std::uint64_t size);

}  // namespace strata::page_files
