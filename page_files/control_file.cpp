#include "page_files/control_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "page_files/directory_entries.hpp"
#include "pg/files/relation_manifest.hpp"

namespace strata::page_files {
namespace {

constexpr std::uint64_t control_file_bytes = 8192;
constexpr const char* directory_name = "global";
constexpr const char* name_below = "pg_control";
constexpr const char* memory_name = "strata_pg_control";

core::result<io::unique_fd> in_memory(core::bytes_view content) {
  io::unique_fd memory(::memfd_create(memory_name, MFD_CLOEXEC));
  if (!memory) return core::from_errno("create a file in memory", errno);
  // Postgres may have another user. Who can open it is who can look into a process that has it.
  if (::fchmod(memory.get(), 0666) != 0) return core::from_errno("create a file in memory", errno);
  const ssize_t written = ::pwrite(memory.get(), content.data(), content.size(), 0);
  if (written < 0) return core::from_errno("write a file in memory", errno);
  if (static_cast<std::size_t>(written) != content.size())
    return core::error{core::errc::disk_full, "write a file in memory: there is no room"};
  return memory;
}

core::result<io::unique_fd> hold_below(int root) {
  STRATA_ASSIGN(const core::bytes content,
                read_file_below(root, pg::files::held_control_file_path, control_file_bytes));
  if (content.size() != control_file_bytes)
    return core::error{core::errc::corrupt, std::string(pg::files::held_control_file_path) + " has another size"};
  STRATA_ASSIGN(io::unique_fd memory, in_memory(content));
  STRATA_ASSIGN(const io::unique_fd directory, open_directory_below(root, directory_name));
  const std::string target = "/proc/self/fd/" + std::to_string(control_file_descriptor);
  if (::symlinkat(target.c_str(), directory.get(), name_below) != 0) {
    if (errno == EEXIST) return core::error{core::errc::conflict, "there is a global/pg_control already"};
    return core::from_errno("link global/pg_control", errno);
  }
  if (::unlinkat(root, pg::files::held_control_file_path, 0) != 0)
    return core::from_errno(std::string("remove ") + pg::files::held_control_file_path, errno);
  return memory;
}

}  // namespace

core::result<io::unique_fd> hold_control_file(const std::string& data_directory) {
  STRATA_ASSIGN(const io::unique_fd root, open_data_directory(data_directory));
  auto held = hold_below(root.get());
  if (!held) return std::move(held).error().within("hold the control file of " + data_directory);
  return held;
}

}  // namespace strata::page_files
