#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "page_files/relation_file.hpp"

namespace strata::page_files {

struct sparse_files {
  core::lsn at;                    ///< their pages are those of this LSN
  pg::major_version major{};       ///< of the cluster
  std::vector<sparse_file> files;  ///< those with pages: a file of no pages is complete
};

/// Creates the files that relation_manifest of an unpacked data directory lists, each with its size and as one hole,
/// and removes the manifest. Files belong to this process's user and are 0600, whatever the umask is. Everything in the
/// manifest is checked: nothing is created outside the directory, no link is followed, no file replaced. errc::corrupt
/// when the manifest is damaged, or names a file that exists already or a database without a directory. After an error
/// remove the data directory: it has some of the files.
core::result<sparse_files> create_relation_files(const std::string& data_directory);

}  // namespace strata::page_files
