#include "page_files/relation_files.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/unique_fd.hpp"
#include "page_files/directory_entries.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/relation_manifest.hpp"

namespace strata::page_files {
namespace {

/// Of ten million files, the most that a manifest may list.
constexpr std::uint64_t manifest_bytes_max = 64u << 20;
constexpr const char* wal_directory = "pg_wal";

core::error refusal(const std::string& path, int why) {
  if (why == EEXIST) return core::error{core::errc::corrupt, "create " + path + ": the data directory has it already"};
  return core::from_errno("create " + path, why);
}

/// A new file of so many zeros.
core::result<io::unique_fd> create_hole(int directory, const std::string& path, std::uint64_t size) {
  const char* name = path.c_str() + path.rfind('/') + 1;
  io::unique_fd created(::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!created) return refusal(path, errno);
  if (size != 0 && ::ftruncate(created.get(), static_cast<off_t>(size)) != 0) return refusal(path, errno);
  return created;
}

/// A umask may have taken the owner's bits away; it never adds others'. Returns the inode.
core::result<inode_id> settle_mode(const io::unique_fd& created, const std::string& path) {
  struct stat found {};
  if (::fstat(created.get(), &found) != 0) return refusal(path, errno);
  if ((found.st_mode & 07777) != 0600 && ::fchmod(created.get(), 0600) != 0) return refusal(path, errno);
  return inode_id{found.st_dev, found.st_ino};
}

core::result<void> create_segment(int directory, const pg::files::sparse_file& segment) {
  const std::string path = std::string(wal_directory) + "/" + segment.name;
  STRATA_ASSIGN(const io::unique_fd created, create_hole(directory, path, segment.size));
  STRATA_TRY(settle_mode(created, path));
  for (const pg::files::sparse_file::piece& piece : segment.pieces) {
    const ssize_t written =
        ::pwrite(created.get(), piece.bytes.data(), piece.bytes.size(), static_cast<off_t>(piece.offset));
    if (written < 0) return refusal(path, errno);
    if (static_cast<std::size_t>(written) != piece.bytes.size())
      return core::error{core::errc::disk_full, "create " + path + ": there is no room"};
  }
  return {};
}

class creator {
 public:
  creator(int root, pg::major_version major) : root_(root), major_(major) {}

  core::result<std::vector<sparse_file>> create(const std::vector<pg::files::listed_fork>& forks) {
    std::size_t count = 0;
    for (const pg::files::listed_fork& each : forks) count += pg::files::files_of(each.blocks);
    made_.reserve(count);
    for (const pg::files::listed_fork& each : forks) {
      STRATA_TRY(enter_directory_of(each.relation));
      STRATA_TRY(create_fork(each));
    }
    return std::move(made_);
  }

 private:
  /// The forks come directory by directory.
  core::result<void> enter_directory_of(const pg::relation_fork& of) {
    if (directory_ && of.tablespace == entered_.tablespace && of.database == entered_.database) return {};
    const std::string name = pg::files::database_directory(of.tablespace, of.database, major_);
    STRATA_ASSIGN(directory_, open_directory_below(root_, name));
    entered_ = of;
    return {};
  }

  core::result<void> create_fork(const pg::files::listed_fork& fork) {
    for (std::uint32_t segment = 0, files = pg::files::files_of(fork.blocks); segment < files; ++segment) {
      const std::uint32_t pages =
          std::min(fork.blocks - segment * pg::blocks_per_relation_segment, pg::blocks_per_relation_segment);
      relation_file file{pg::files::relation_path({fork.relation, segment}, major_), fork.relation, segment, pages};
      STRATA_ASSIGN(const inode_id inode, create_file(file));
      if (pages != 0) made_.push_back({std::move(file), inode});
    }
    return {};
  }

  core::result<inode_id> create_file(const relation_file& file) {
    STRATA_ASSIGN(const io::unique_fd created,
                  create_hole(directory_.get(), file.path, std::uint64_t{file.pages} * pg::page_size));
    return settle_mode(created, file.path);
  }

  int root_;
  pg::major_version major_;
  io::unique_fd directory_;
  pg::relation_fork entered_;
  std::vector<sparse_file> made_;
};

core::result<sparse_files> create_below(int root) {
  STRATA_ASSIGN(const core::bytes listed, read_file_below(root, pg::files::relation_manifest_path, manifest_bytes_max));
  STRATA_ASSIGN(const auto manifest, pg::files::decode_relation_manifest(listed));
  STRATA_ASSIGN(const io::unique_fd wal, open_directory_below(root, wal_directory));
  for (const pg::files::sparse_file& each : manifest.segments) STRATA_TRY(create_segment(wal.get(), each));
  STRATA_ASSIGN(auto files, creator(root, manifest.major).create(manifest.forks));
  if (::unlinkat(root, pg::files::relation_manifest_path, 0) != 0)
    return core::from_errno("remove the relation manifest", errno);
  return sparse_files{manifest.at, manifest.major, std::move(files)};
}

}  // namespace

core::result<sparse_files> create_relation_files(const std::string& data_directory) {
  STRATA_ASSIGN(const io::unique_fd root, open_data_directory(data_directory));
  auto made = create_below(root.get());
  if (!made) return std::move(made).error().within("create relation files in " + data_directory);
  return made;
}

core::result<void> spread_directories(const std::string& parent) {
  const std::string doing = "spread directories in " + parent;
  STRATA_ASSIGN(const io::unique_fd opened, open_data_directory(parent));
  int flags = 0;
  if (::ioctl(opened.get(), FS_IOC_GETFLAGS, &flags) == 0) {
    flags |= FS_TOPDIR_FL;
    if (::ioctl(opened.get(), FS_IOC_SETFLAGS, &flags) == 0) return {};
  }
  if (errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS)
    return core::error{core::errc::unsupported, doing + ": the file system has no flag for it"};
  return core::from_errno(doing, errno);
}

}  // namespace strata::page_files
