#include "io/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <filesystem>

namespace strata::io {

namespace {

constexpr std::array<std::uint8_t, 8> identity_magic{'S', 'T', 'R', 'A', 'T', 'A', '\r', '\n'};
constexpr std::size_t identity_size = 8 + 4 + 8;

core::bytes identity_content() {
  core::bytes content(identity_magic.begin(), identity_magic.end());
  core::append_le(content, directory_version);
  core::append_le<std::uint64_t>(content, XXH3_64bits(content.data(), content.size()));
  return content;
}

std::string holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size() - 1, 0);
  std::string pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  pid.resize(std::min(pid.find('\n'), pid.size()));
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

core::result<directory_lock> directory_lock::take(const std::string& directory) {
  const std::string path = directory + "/strata.lock";
  unique_fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.open()) return core::from_errno("open " + path, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return core::from_errno("lock " + path, errno);
    return core::error{core::errc::conflict, "directory " + directory + " is in use by " + holder(file.get())};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), pid.data(), pid.size(), 0) < 0)
    return core::from_errno("write " + path, errno);
  return directory_lock(std::move(file));
}

core::result<void> write_identity_file(const std::string& directory) {
  const std::string path = directory + "/STRATA";
  STRATA_ASSIGN(new_file created, new_file::create(path + temporary_suffix));
  STRATA_TRY(created.append(identity_content()));
  return created.commit(path);
}

core::result<std::uint32_t> check_identity_file(const std::string& directory, bool in_use) {
  const std::string path = directory + "/STRATA";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    if (in_use) return core::error{core::errc::corrupt, "directory " + directory + " has no file STRATA"};
    STRATA_TRY(write_identity_file(directory));
    return directory_version;
  }
  STRATA_ASSIGN(unique_fd file, open_for_reading(path));
  core::bytes found(identity_size);
  STRATA_TRY(read_at(file, 0, found, path));
  if (!std::equal(identity_magic.begin(), identity_magic.end(), found.begin()))
    return core::error{core::errc::corrupt, path + " does not say that the directory is one of Strata"};
  if (XXH3_64bits(found.data(), identity_size - 8) != core::load_le<std::uint64_t>(&found[identity_size - 8]))
    return core::error{core::errc::corrupt, path + " is damaged: wrong checksum"};
  const auto version = core::load_le<std::uint32_t>(&found[identity_magic.size()]);
  if (version < 1 || version > directory_version)
    return core::error{core::errc::unsupported, path + " has format version " + std::to_string(version) +
                                                    ", this server knows versions 1 to " +
                                                    std::to_string(directory_version) + " only"};
  return version;
}

}  // namespace strata::io
