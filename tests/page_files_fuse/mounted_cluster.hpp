#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/page_files_fuse/mounted_files.hpp"
#include "tests/support/postgres_cluster.hpp"

namespace strata::tests {

/// The data directory of a stopped cluster, mounted: its relation files are sparse, their pages come from the files of
/// the cluster, which stay as they are.
class mounted_cluster {
 public:
  mounted_cluster(const std::filesystem::path& image, const std::vector<std::string>& config);
  postgres_cluster& postgres() { return *postgres_; }
  scripted_source& source() { return source_; }
  page_files::fuse_door& door() { return thread_->door(); }
  page_files::page_map& map() { return *map_; }
  [[nodiscard]] std::filesystem::path mount() const { return home_ / "mount"; }
  [[nodiscard]] std::filesystem::path below() const { return home_ / "below"; }

 private:
  void build(const std::filesystem::path& image);

  temp_dir home_;
  std::vector<page_files::sparse_file> files_;
  std::optional<page_files::page_map> map_;
  scripted_source source_;
  std::unique_ptr<door_thread> thread_;
  std::unique_ptr<postgres_cluster> postgres_;
};

}  // namespace strata::tests
