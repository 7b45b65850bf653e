#include "control/server_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "config/json_file.hpp"
#include "config/small_file.hpp"
#include "core/ids.hpp"
#include "io/file.hpp"
#include "io/replace_file.hpp"

namespace strata::control {
namespace {

using nlohmann::json;

/// A compute that takes over from a killed one waits for no more than this.
constexpr std::chrono::milliseconds lock_look_interval{2};

std::string path_in(const std::string& directory) { return directory + "/server.json"; }
std::string lock_in(const std::string& directory) { return directory + "/server.lock"; }

/// Of the open file, not of the process: others ask for it without taking it, and it can't be lost by opening the file
/// a second time.
struct flock whole_file_lock() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

/// The process id that the holder wrote into the lock file; -1 when it has not yet.
pid_t written_pid(int file) {
  char text[32] = {};
  const ssize_t size = ::pread(file, text, sizeof text - 1, 0);
  const int pid = size > 0 ? std::atoi(text) : 0;
  return pid > 0 ? pid : -1;
}

}  // namespace

const std::string& server_key() {
  static const std::string made = core::to_string(core::make_id<core::random_id<struct key_tag>>());
  return made;
}

core::result<server_file> read_server_file(const std::string& directory) {
  STRATA_ASSIGN(const json of, config::read_json_file(path_in(directory)));
  try {
    return server_file{of.at("pid"),    of.at("http"),    of.at("page"),          of.at("version"),
                       of.at("pg_bin"), of.at("started"), of.value("broker", ""), of.value("key", "")};
  } catch (const json::exception&) {
    return config::wrong_members(path_in(directory));
  }
}

core::result<void> write_server_file(const std::string& directory, const server_file& of) {
  const json content{{"pid", of.pid},       {"http", of.http},       {"page", of.page},     {"version", of.version},
                     {"pg_bin", of.pg_bin}, {"started", of.started}, {"broker", of.broker}, {"key", of.key}};
  return io::replace_file(path_in(directory), content.dump(1) + "\n", {.durable = false});
}

void remove_server_file(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove(path_in(directory), ignored);
}

core::result<std::uint16_t> kept_port(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name + ".port";
  const auto read = config::read_small_file(path);
  if (!read && read.error().code == core::errc::not_found) return std::uint16_t{0};
  STRATA_TRY(read);
  const std::string& text = *read;
  unsigned port = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failed != std::errc() || port == 0 || port > 65535 || std::string_view(end) != "\n")
    return core::error{core::errc::corrupt, path + " contains no port"};
  return static_cast<std::uint16_t>(port);
}

core::result<void> keep_port(const std::string& directory, const std::string& name, std::uint16_t port) {
  const std::string path = directory + "/" + name + ".port";
  const std::string text = std::to_string(port) + "\n";
  STRATA_ASSIGN(auto file, io::new_file::create(path + io::temporary_suffix));
  STRATA_TRY(file.append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  return file.commit(path);
}

core::result<directory_lock> directory_lock::take(const std::string& directory) {
  const int file = ::open(lock_in(directory).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return core::from_errno("open " + lock_in(directory), errno);
  directory_lock lock(file);
  struct flock wanted = whole_file_lock();
  if (::fcntl(file, F_OFD_SETLK, &wanted) != 0) {
    if (errno != EAGAIN && errno != EACCES) return core::from_errno("lock " + lock_in(directory), errno);
    return core::error{core::errc::conflict,
                       "process " + std::to_string(written_pid(file)) + " is the server of " + directory};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, pid.data(), pid.size(), 0) < 0)
    return core::from_errno("write " + lock_in(directory), errno);
  return lock;
}

core::result<directory_lock> directory_lock::wait_for(const std::string& directory, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    auto lock = take(directory);
    const bool is_held = !lock && lock.error().code == core::errc::conflict;
    if (!is_held || std::chrono::steady_clock::now() > deadline) return lock;
    std::this_thread::sleep_for(lock_look_interval);
  }
}

std::optional<pid_t> directory_lock::holder(const std::string& directory) {
  const int file = ::open(lock_in(directory).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::optional<pid_t> found;
  struct flock asked = whole_file_lock();
  if (::fcntl(file, F_OFD_GETLK, &asked) == 0 && asked.l_type != F_UNLCK) found = written_pid(file);
  ::close(file);
  return found;
}

directory_lock::~directory_lock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace strata::control
