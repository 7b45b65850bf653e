#include "control/own_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace strata::control {
namespace {

namespace fs = std::filesystem;

bool has_one_of(const fs::path& directory, const std::vector<std::string_view>& names) {
  std::error_code hidden;
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return fs::exists(directory / name, hidden); });
}

core::error foreign(const std::string& path, const directory_kind& kind, const std::string& what) {
  return {core::errc::conflict, path + " is not " + std::string(kind.what) + ": it has " + what +
                                    "; nothing was changed. Use a new, an empty or an existing one"};
}

/// errc::conflict for what somebody else uses.
core::result<void> check_existing(const std::string& path, const directory_kind& kind) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) {
    if (failed) return core::from_errno("look at " + path, failed.value());
    return core::error{core::errc::conflict, path + " is not a directory"};
  }
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return core::from_errno("look at " + path, errno);
  // Root is who mounts and hands over; for anybody else a stranger's directory is one that a stranger can change.
  if (::geteuid() != 0 && found.st_uid != ::geteuid())
    return core::error{core::errc::conflict, path + " belongs to another user"};
  for (const std::string_view name : kind.others)
    if (fs::exists(fs::path(path) / name, failed)) return foreign(path, kind, std::string(name));
  if (has_one_of(path, kind.marks)) return {};
  for (fs::directory_iterator each(path, failed); !failed && each != fs::directory_iterator(); each.increment(failed)) {
    const std::string name = each->path().filename().string();
    if (std::find(kind.may_precede.begin(), kind.may_precede.end(), name) == kind.may_precede.end())
      return foreign(path, kind, name);
  }
  if (failed) return core::from_errno("list " + path, failed.value());
  return {};
}

}  // namespace

const directory_kind& server_directory_kind() {
  static const directory_kind kind{.what = "a server's directory",
                                   .marks = {"metadata/STRATA", "server.lock"},
                                   .others = {"safekeeper.json", "compute.json"},
                                   .may_precede = {"strata.toml", "lost+found"},
                                   // Others pass through it to computes that run as another user.
                                   .mode = 0711};
  return kind;
}

const directory_kind& safekeeper_directory_kind() {
  static const directory_kind kind{.what = "a safekeeper's directory",
                                   .marks = {"safekeeper.json", "server.lock"},
                                   .others = {"metadata", "server.json", "compute.json"},
                                   .may_precede = {"lost+found", "safekeeper.log"},
                                   .mode = 0700};
  return kind;
}

core::result<void> take_own_directory(const std::string& path, const directory_kind& kind) {
  std::error_code failed;
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) fs::create_directories(parent, failed);
  if (failed) return core::from_errno("make " + parent.string(), failed.value());
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno != EEXIST) return core::from_errno("make " + path, errno);
    return check_existing(path, kind);
  }
  if (::chmod(path.c_str(), kind.mode) != 0) return core::from_errno("set the mode of " + path, errno);
  return {};
}

}  // namespace strata::control
