#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "io/unique_fd.hpp"

/// Access to what an archive brought, below an open directory: no link is followed, whoever made it.
namespace strata::page_files {

core::result<io::unique_fd> open_data_directory(const std::string& path);

/// `path` is relative, with '/' between parts. errc::corrupt when a part is missing or is not a directory.
core::result<io::unique_fd> open_directory_below(int root, std::string_view path);

/// A whole regular file. errc::corrupt when it is missing, something else, or larger than `bytes_max`.
core::result<core::bytes> read_file_below(int root, const std::string& path, std::uint64_t bytes_max);

}  // namespace strata::page_files
