#include "bench/compute/processes.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

namespace strata::bench {
namespace {

/// The words of /proc/PID/stat behind the name, which may have spaces: state, parent, ...
std::vector<std::string> stat_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::istringstream words(text.substr(text.rfind(')') == std::string::npos ? text.size() : text.rfind(')') + 1));
  return {std::istream_iterator<std::string>(words), {}};
}

std::multimap<pid_t, pid_t> children() {
  std::multimap<pid_t, pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t process = std::atoi(entry.path().filename().c_str());
    if (process <= 0) continue;
    const auto words = stat_of(process);
    if (words.size() > 1) found.emplace(std::atoi(words[1].c_str()), process);
  }
  return found;
}

}  // namespace

std::vector<pid_t> family_of(pid_t ancestor) {
  const auto all = children();
  std::vector<pid_t> family{ancestor};
  for (std::size_t next = 0; next < family.size(); ++next)
    for (auto [each, end] = all.equal_range(family[next]); each != end; ++each) family.push_back(each->second);
  return family;
}

process_costs costs_of(const std::vector<pid_t>& processes) {
  process_costs sum;
  const double tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  for (const pid_t process : processes) {
    std::ifstream memory("/proc/" + std::to_string(process) + "/smaps_rollup");
    for (std::string line; std::getline(memory, line);)
      if (line.starts_with("Pss:")) sum.memory_megabytes += std::atof(line.c_str() + 4) / 1024;
    const auto words = stat_of(process);
    // User and system time.
    if (words.size() > 12) sum.cpu_seconds += (std::atof(words[11].c_str()) + std::atof(words[12].c_str())) * tick;
  }
  return sum;
}

}  // namespace strata::bench
