#include "page_files/fuse_mount.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "io/unique_fd.hpp"

extern char** environ;

namespace strata::page_files {
namespace {

namespace fs = std::filesystem;

constexpr const char* unmount_program = "fusermount3";
constexpr unsigned cap_sys_admin = 21;

struct mount_entry {
  std::string device;
  std::string path;
  std::string type;
  std::string source;
};

/// mountinfo writes space, tab, line feed and backslash as three octal digits.
std::string unescaped(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && digit(text[i + 1]) && digit(text[i + 2]) && digit(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// In the order of mounting: of two at one path the later one is on top.
std::vector<mount_entry> mounts() {
  std::vector<mount_entry> found;
  std::ifstream in("/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, path, word;
    words >> id >> parent >> device >> root >> path;
    // Optional fields end with a lone hyphen.
    while (words >> word && word != "-") continue;
    std::string type, source;
    if (words >> type >> source) found.push_back({device, unescaped(path), type, unescaped(source)});
  }
  return found;
}

/// Without a look at the path itself, which may answer with an error for everything.
core::result<std::string> canonical(const std::string& path) {
  fs::path plain = fs::path(path).lexically_normal();
  if (!plain.has_filename()) plain = plain.parent_path();
  std::error_code failed;
  const fs::path parent = fs::canonical(plain.has_parent_path() ? plain.parent_path() : fs::path("."), failed);
  if (failed) return core::from_errno("resolve the directory of " + path, failed.value());
  return (parent / plain.filename()).string();
}

std::optional<mount_entry> on_top(const std::string& canonical_path) {
  const std::vector<mount_entry> all = mounts();
  const auto last =
      std::find_if(all.rbegin(), all.rend(), [&](const mount_entry& each) { return each.path == canonical_path; });
  if (last == all.rend() || last->type != fuse_file_system_type) return std::nullopt;
  return *last;
}

std::string first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// Clock ticks after the start of the system; empty when there is no such process, or a zombie.
std::string start_time_of(const std::string& process) {
  const std::string stat = first_line("/proc/" + process + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(stat.substr(name_end + 1));
  std::string word;
  constexpr int start_time_field = 20;  // counted from the state
  for (int field = 1; rest >> word; ++field) {
    if (field == 1 && (word == "Z" || word == "X")) return {};
    if (field == start_time_field) return word;
  }
  return {};
}

/// The process id in a source that fuse_mount_source() wrote, if that process is alive.
std::optional<std::string> living_daemon(const std::string& source) {
  const std::size_t first = source.find(':');
  const std::size_t second = source.rfind(':');
  if (first == std::string::npos || second == first) return std::nullopt;
  const std::string process = source.substr(first + 1, second - first - 1);
  if (process.empty() || !std::ranges::all_of(process, [](unsigned char c) { return std::isdigit(c) != 0; }))
    return std::nullopt;
  if (start_time_of(process) != source.substr(second + 1)) return std::nullopt;
  return process;
}

bool may_mount() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("CapEff:")) continue;
    const std::size_t digits = line.find_first_of("0123456789abcdef", std::strlen("CapEff:"));
    std::uint64_t capabilities = 0;
    if (digits != std::string::npos) std::from_chars(line.data() + digits, line.data() + line.size(), capabilities, 16);
    return (capabilities >> cap_sys_admin & 1) != 0;
  }
  return false;
}

std::optional<fs::path> find_program(const std::string& name) {
  const char* set = std::getenv("PATH");
  std::istringstream directories(set != nullptr ? set : "/usr/local/bin:/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const fs::path candidate = fs::path(directory) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

bool other_users_allowed() {
  std::ifstream in("/etc/fuse.conf");
  for (std::string line; std::getline(in, line);) {
    std::erase_if(line, [](unsigned char c) { return std::isspace(c) != 0; });
    if (line == "user_allow_other") return true;
  }
  return false;
}

core::result<void> unmount_by_program(const std::string& path) {
  const auto program = find_program(unmount_program);
  if (!program) return core::error{core::errc::permission_denied, std::string(unmount_program) + " is not installed"};
  std::array<std::string, 6> words{program->string(), "-u", "-z", "-q", "--", path};
  std::array<char*, 7> arguments{};
  std::ranges::transform(words, arguments.begin(), [](std::string& word) { return word.data(); });
  pid_t child = -1;
  if (const int failed = ::posix_spawn(&child, words[0].c_str(), nullptr, nullptr, arguments.data(), environ))
    return core::from_errno("start " + words[0], failed);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return core::from_errno("wait for " + words[0], errno);
  if (status != 0) return core::error{core::errc::io_error, words[0] + " -u failed"};
  return {};
}

core::result<void> detach(const std::string& canonical_path) {
  if (::umount2(canonical_path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
  if (errno == EINVAL || errno == ENOENT) return {};  // another process was faster
  if (errno != EPERM) return core::from_errno("unmount " + canonical_path, errno);
  return unmount_by_program(canonical_path);
}

}  // namespace

core::result<void> fuse_available(bool for_other_users) {
  // libfuse opens it as this user, also when fusermount3 mounts.
  const io::unique_fd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device) {
    const int why = errno;
    if (why == ENOENT)
      return core::error{core::errc::unsupported,
                         "FUSE is not available: /dev/fuse is missing (load the kernel module fuse; in a container, "
                         "--device /dev/fuse)"};
    if (why == EPERM || why == EACCES)
      return core::error{core::errc::permission_denied,
                         "FUSE is not available: this user may not open /dev/fuse (its mode is usually 0666; in a "
                         "container, --device /dev/fuse)"};
    return core::from_errno("FUSE is not available: open /dev/fuse", why);
  }
  if (may_mount()) return {};
  const auto program = find_program(unmount_program);
  if (!program)
    return core::error{core::errc::permission_denied,
                       "FUSE is not available: this user may not mount, and fusermount3 is not installed (package "
                       "fuse3)"};
  struct stat about {};
  if (::stat(program->c_str(), &about) != 0 || about.st_uid != 0 || (about.st_mode & S_ISUID) == 0)
    return core::error{core::errc::permission_denied, "FUSE is not available: this user may not mount, and " +
                                                          program->string() + " is not setuid root"};
  if (for_other_users && !other_users_allowed())
    return core::error{core::errc::permission_denied,
                       "FUSE is not available: Postgres runs as another user, and /etc/fuse.conf has no line "
                       "user_allow_other"};
  return {};
}

std::string fuse_mount_source() {
  const std::string process = std::to_string(::getpid());
  return "strata:" + process + ":" + start_time_of(process);
}

core::result<std::string> fuse_mount_device(const std::string& path) {
  STRATA_ASSIGN(const std::string place, canonical(path));
  const auto found = on_top(place);
  if (!found) return core::error{core::errc::not_found, path + " is not a mount of Strata"};
  return found->device;
}

core::result<void> remove_stale_mount(const std::string& path) {
  STRATA_ASSIGN(const std::string place, canonical(path));
  // As many as a daemon that was started again and again may have left one on the other.
  for (int left = 64; left > 0; --left) {
    const auto found = on_top(place);
    if (!found) return {};
    if (const auto process = living_daemon(found->source))
      return core::error{core::errc::conflict, place + " is mounted by process " + *process + ", which is running"};
    // Its attributes may still be in the kernel's cache; this question always goes to the daemon. A daemon of another
    // process id namespace is none that we could see, and answers.
    struct statfs about {};
    if (::statfs(place.c_str(), &about) == 0)
      return core::error{core::errc::conflict, place + " is mounted and answers"};
    if (errno != ENOTCONN) return core::from_errno("look at " + place, errno);
    STRATA_TRY(detach(place));
  }
  return core::error{core::errc::io_error, "unmount " + place + ": it does not go away"};
}

core::result<void> detach_fuse_mount(const std::string& path) {
  STRATA_ASSIGN(const std::string place, canonical(path));
  if (!on_top(place)) return {};
  return detach(place);
}

}  // namespace strata::page_files
