#include "host/data_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "pg/files/relation_manifest.hpp"
#include "pg/files/tar.hpp"

namespace strata::host {
namespace {

using pg::files::tar_entry;
using pg::files::tar_event;
using pg::files::tar_type;

class unpacker final : public data_directory_unpacker {
 public:
  explicit unpacker(std::string directory) : directory_(std::move(directory)) {}
  ~unpacker() override {
    if (file_ >= 0) ::close(file_);
  }

  core::result<void> feed(core::bytes_view part) override;
  core::result<void> finish() override;
  [[nodiscard]] std::uint64_t bytes_written() const override { return bytes_; }

 private:
  core::result<void> on(const tar_event& event);
  core::result<void> begin(const tar_entry& entry);
  core::result<void> make_directories(const std::string& path);
  core::result<void> write(core::bytes_view data);
  core::result<void> close_file();
  [[nodiscard]] std::string path_of(const std::string& name) const { return directory_ + "/" + name; }

  std::string directory_;
  pg::files::tar_reader reader_;
  std::set<std::string> directories_;
  std::string name_;
  int file_ = -1;
  std::uint64_t bytes_ = 0;
  bool has_version_ = false;
  bool has_control_ = false;
};

core::result<void> unpacker::feed(core::bytes_view part) {
  reader_.feed(part);
  for (;;) {
    STRATA_ASSIGN(const auto event, reader_.next());
    if (!event) return {};
    STRATA_TRY(on(*event));
  }
}

core::result<void> unpacker::on(const tar_event& event) {
  switch (event.kind) {
    case tar_event::kind::entry: return begin(*event.entry);
    case tar_event::kind::data: return write(event.data);
    case tar_event::kind::entry_end: return close_file();
    case tar_event::kind::archive_end: return {};
  }
  return {};
}

core::result<void> unpacker::begin(const tar_entry& entry) {
  if (entry.type == tar_type::directory) return make_directories(entry.name);
  if (entry.type != tar_type::file)
    return core::error{core::errc::corrupt, "unpack " + entry.name + ": it is neither a file nor a directory"};
  name_ = entry.name;
  if (const auto slash = name_.rfind('/'); slash != std::string::npos) {
    STRATA_TRY(make_directories(name_.substr(0, slash)));
  }
  has_version_ = has_version_ || name_ == "PG_VERSION";
  has_control_ = has_control_ || name_ == "global/pg_control" || name_ == pg::files::held_control_file_path;
  file_ = ::open(path_of(name_).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file_ < 0 && errno == EEXIST)
    return core::error{core::errc::corrupt, "unpack " + name_ + ": the archive has it twice"};
  if (file_ < 0) return core::from_errno("unpack " + name_, errno);
  return {};
}

core::result<void> unpacker::make_directories(const std::string& path) {
  if (path.empty() || directories_.contains(path)) return {};
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (directories_.insert(part).second && ::mkdir(path_of(part).c_str(), 0700) != 0) {
      if (errno == EEXIST || errno == ENOTDIR)
        return core::error{core::errc::corrupt, "unpack " + path + ": the archive has a file of that name"};
      return core::from_errno("unpack " + part, errno);
    }
    if (end == std::string::npos) return {};
  }
}

core::result<void> unpacker::write(core::bytes_view data) {
  bytes_ += data.size();
  while (!data.empty()) {
    const ssize_t written = ::write(file_, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return core::from_errno("unpack " + name_, errno);
    data = data.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

core::result<void> unpacker::close_file() {
  if (file_ < 0) return {};
  const int closed = ::close(file_);
  file_ = -1;
  if (closed != 0) return core::from_errno("unpack " + name_, errno);
  return {};
}

core::result<void> unpacker::finish() {
  if (!reader_.complete()) return core::error{core::errc::corrupt, "unpack: the archive ends early"};
  if (!has_version_ || !has_control_)
    return core::error{core::errc::corrupt,
                       "unpack: the archive is not a data directory: PG_VERSION or global/pg_control is missing"};
  return {};
}

}  // namespace

core::result<std::unique_ptr<data_directory_unpacker>> data_directory_unpacker::open(const std::string& directory) {
  // ext4 chooses the place of a directory by the name that it is made with, if its parent says so
  // (page_files::spread_directories). Of one name all would come to the same place, where the inodes of the last one
  // were freed a moment ago and each new file passes over them.
  std::string made = directory + ".XXXXXX";
  if (::mkdtemp(made.data()) == nullptr) return core::from_errno("make " + directory, errno);
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, directory.c_str(), RENAME_NOREPLACE) != 0) {
    const int why = errno;
    ::rmdir(made.c_str());
    return core::from_errno("make " + directory, why);
  }
  return std::unique_ptr<data_directory_unpacker>(std::make_unique<unpacker>(directory));
}

}  // namespace strata::host
