#include "host/account.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace strata::host {
namespace {

namespace fs = std::filesystem;

bool lets_through(const account& who, const fs::path& directory) {
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) return errno == ENOENT;
  if (!S_ISDIR(found.st_mode)) return false;
  if (found.st_uid == who.user) return (found.st_mode & S_IXUSR) != 0;
  const bool member =
      found.st_gid == who.group || std::find(who.groups.begin(), who.groups.end(), found.st_gid) != who.groups.end();
  return (found.st_mode & (member ? S_IXGRP : S_IXOTH)) != 0;
}

core::result<std::optional<account>> look_up() {
  if (::geteuid() != 0) return std::optional<account>();
  for (const char* name : {"postgres", "nobody"}) {
    const passwd* entry = ::getpwnam(name);
    if (entry == nullptr) continue;
    account found{entry->pw_name, entry->pw_uid, entry->pw_gid, {}, entry->pw_dir};
    int count = 64;
    found.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(name, found.group, found.groups.data(), &count) < 0) count = 0;
    found.groups.resize(static_cast<std::size_t>(count));
    return std::optional(std::move(found));
  }
  return core::error{core::errc::not_found,
                     "Postgres refuses to run as root, and this machine has neither a user postgres nor nobody"};
}

}  // namespace

core::result<std::optional<account>> postgres_account() {
  // The groups of an account are asked of every service of the host, some milliseconds in all.
  static const auto found = look_up();
  return found;
}

bool can_reach(const account& who, const std::string& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  fs::path walked;
  for (const auto& part : whole) {
    walked /= part;
    if (walked != whole && !lets_through(who, walked)) return false;
  }
  return true;
}

core::result<void> give(const account& to, const std::string& path) {
  const auto give_one = [&](const fs::path& each) -> core::result<void> {
    if (::lchown(each.c_str(), to.user, to.group) != 0)
      return core::from_errno("give " + each.string() + " to " + to.name, errno);
    return {};
  };
  STRATA_TRY(give_one(path));
  std::error_code failure;
  if (!fs::is_directory(fs::symlink_status(path, failure))) return {};
  for (auto at = fs::recursive_directory_iterator(path, failure); !failure && at != fs::recursive_directory_iterator();
       at.increment(failure))
    STRATA_TRY(give_one(at->path()));
  if (failure) return core::from_errno("list " + path, failure.value());
  return {};
}

}  // namespace strata::host
