#include "page_files/waiting_process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>

#include "io/unique_fd.hpp"

namespace strata::page_files {
namespace {

std::uint64_t mask_after(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  std::string_view rest = text.substr(at + name.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  std::uint64_t mask = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), mask, 16);
  return mask;
}

constexpr std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }

}  // namespace

bool wants_to_stop(pid_t process) {
  const io::unique_fd status(::open(("/proc/" + std::to_string(process) + "/status").c_str(), O_RDONLY | O_CLOEXEC));
  if (!status) return false;
  std::array<char, 4096> buffer{};
  const ssize_t bytes = ::read(status.get(), buffer.data(), buffer.size());
  if (bytes <= 0) return false;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(bytes));
  const std::uint64_t pending = mask_after(text, "\nSigPnd:") | mask_after(text, "\nShdPnd:");
  const std::uint64_t held_back = mask_after(text, "\nSigBlk:") | mask_after(text, "\nSigIgn:");
  return (pending & ~held_back & (bit(SIGINT) | bit(SIGTERM) | bit(SIGQUIT))) != 0;
}

}  // namespace strata::page_files
