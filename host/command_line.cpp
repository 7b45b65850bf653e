#include "host/command_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace strata::host {
namespace {

/// Where the kernel reads /proc/PID/cmdline and environ from (man 5 proc_pid_stat).
struct shown_area {
  char* arguments = nullptr;
  char* arguments_end = nullptr;
  char* environment = nullptr;
  char* environment_end = nullptr;
};

std::optional<shown_area> area_of_this_process() {
  constexpr int first_field = 3;  // after the name, which may contain anything
  constexpr int arguments_field = 48;
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  std::string skipped;
  for (int field = first_field; field < arguments_field; ++field) fields >> skipped;
  std::uintptr_t at[4] = {};
  for (auto& each : at) fields >> each;
  if (!fields || at[0] == 0 || at[1] <= at[0]) return std::nullopt;
  const auto pointer = [](std::uintptr_t to) { return reinterpret_cast<char*>(to); };
  return shown_area{pointer(at[0]), pointer(at[1]), pointer(at[2]), pointer(at[3])};
}

/// The variables live as long as the process.
void move_environment() {
  std::size_t count = 0;
  while (environ[count] != nullptr) ++count;
  auto** moved = new char*[count + 1];
  for (std::size_t i = 0; i < count; ++i) moved[i] = ::strdup(environ[i]);
  moved[count] = nullptr;
  environ = moved;
}

std::string joined(const std::vector<std::string>& words, char separator) {
  std::string text;
  for (const auto& word : words) text += word + separator;
  if (!text.empty()) text.pop_back();
  return text;
}

}  // namespace

void show_command_line(const std::vector<std::string>& words) {
  const auto area = area_of_this_process();
  if (!area) return;
  const auto room = static_cast<std::size_t>(area->arguments_end - area->arguments);
  std::string text = joined(words, '\0');
  std::size_t whole = room;
  if (text.size() >= room) {
    // The kernel reads on in the environment if the last byte of the arguments is not zero, and up to the first zero.
    text = joined(words, ' ');
    if (area->environment == area->arguments_end && area->environment_end > area->environment) {
      move_environment();
      whole = static_cast<std::size_t>(area->environment_end - area->arguments);
    }
  }
  text.resize(std::min(text.size(), whole - 1));
  std::memcpy(area->arguments, text.data(), text.size());
  std::memset(area->arguments + text.size(), 0, whole - text.size());
}

}  // namespace strata::host
