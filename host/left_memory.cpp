#include "host/left_memory.hpp"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <sstream>
#include <vector>

#include "io/unique_fd.hpp"

namespace strata::host {
namespace {

struct segment_header {
  static constexpr std::int32_t right_magic = 679834894;
  std::int32_t magic;
  std::int32_t creator;
  std::uint64_t total_size;
  std::uint64_t free_offset;
  std::uint32_t control;  ///< handle of the control segment, 0: none
};

struct control_header {
  static constexpr std::uint32_t right_magic = 0x9a503d32;
  std::uint32_t magic;
  std::uint32_t items;
  std::uint32_t items_max;
};

struct control_item {
  std::uint32_t handle;
  std::uint32_t references;
  std::uint64_t first_page, pages;
  std::uint64_t private_handle;
  std::uint64_t pinned;
};
constexpr std::size_t first_item = 16;
/// More are an unreadable segment.
constexpr std::uint32_t items_limit = 1 << 16;

std::string path_of(std::uint32_t handle) { return "/dev/shm/PostgreSQL." + std::to_string(handle); }

std::vector<control_item> items_of(std::uint32_t control) {
  const io::unique_fd file(::open(path_of(control).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  control_header header{};
  if (!file || ::pread(file.get(), &header, sizeof header, 0) != sizeof header ||
      header.magic != control_header::right_magic || header.items > header.items_max || header.items > items_limit)
    return {};
  std::vector<control_item> items(header.items);
  const auto size = static_cast<ssize_t>(items.size() * sizeof(control_item));
  if (::pread(file.get(), items.data(), static_cast<std::size_t>(size), first_item) != size) return {};
  return items;
}

void remove_dynamic(std::uint32_t control) {
  for (const auto& each : items_of(control))
    // An odd handle is a part of the main segment.
    if (each.references > 0 && each.handle % 2 == 0) ::unlink(path_of(each.handle).c_str());
  ::unlink(path_of(control).c_str());
}

std::optional<segment_header> header_of(const memory_segment& segment) {
  shmid_ds state{};
  if (::shmctl(segment.id, IPC_STAT, &state) != 0 || state.shm_perm.__key != segment.key || state.shm_nattch != 0 ||
      state.shm_segsz < sizeof(segment_header))
    return std::nullopt;
  void* at = ::shmat(segment.id, nullptr, SHM_RDONLY);
  if (at == reinterpret_cast<void*>(-1)) return std::nullopt;
  const segment_header found = *static_cast<const segment_header*>(at);
  ::shmdt(at);
  return found;
}

}  // namespace

memory_segment parse_memory_segment(const std::string& line) {
  std::istringstream words(line);
  memory_segment found;
  if (!(words >> found.key >> found.id)) return {};
  return found;
}

void remove_left_memory(const memory_segment& of, pid_t creator) {
  if (of.key == 0) return;
  const auto header = header_of(of);
  if (!header || header->magic != segment_header::right_magic || header->creator != creator) return;
  if (header->control != 0) remove_dynamic(header->control);
  ::shmctl(of.id, IPC_RMID, nullptr);
}

}  // namespace strata::host
