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

/// Creates the files that relation_manifest of an unpacked data directory lists, and removes the manifest: relation
/// files with their sizes and each as one hole, WAL segments with what is in them. Files belong to this process's user
/// and are 0600, whatever the umask is. Everything in the manifest is checked: nothing is created outside the
/// directory, no link is followed, no file replaced. errc::corrupt when the manifest is damaged, or names a file that
/// exists already or a database without a directory. After an error remove the data directory: it has some of the
/// files.
core::result<sparse_files> create_relation_files(const std::string& data_directory);

/// Asks the file system to put directories that are made in `parent` far from each other (FS_TOPDIR_FL of ext4). There
/// a new file searches its neighbourhood for an inode, and passes over those that were freed in the last minutes: where
/// data directories come and go in one place, creating a file takes a millisecond instead of 20 us. Call it once for
/// the directory of data directories. errc::unsupported where there is no such flag, which is no failure.
core::result<void> spread_directories(const std::string& parent);

}  // namespace strata::page_files
