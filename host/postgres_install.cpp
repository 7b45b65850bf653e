#include "host/postgres_install.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <sstream>
#include <vector>

#include "host/program.hpp"
#include "io/unique_fd.hpp"

namespace strata::host {
namespace {

constexpr std::string_view version_mark = "postgres (PostgreSQL) ";

/// What `--version` would print is a text in the program, and to start it takes 10 ms. Nothing: a script, or a program
/// that makes the text in another way.
std::optional<int> major_written_in(const std::string& program) {
  if (::access(program.c_str(), X_OK) != 0) return std::nullopt;
  const io::unique_fd file(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  constexpr std::size_t part_bytes = 256u << 10;
  constexpr std::size_t text_max = 64;
  constexpr std::string_view elf_mark = "\177ELF";
  std::string text;
  std::string part(part_bytes, '\0');
  for (bool is_first = true; file; is_first = false) {
    const ssize_t bytes = ::read(file.get(), part.data(), part.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    // The end of the part before: the text may lie across both.
    text.erase(0, text.size() - std::min(text.size(), text_max));
    text.append(part, 0, static_cast<std::size_t>(bytes));
    if (is_first && !text.starts_with(elf_mark)) break;
    const void* found = ::memmem(text.data(), text.size(), version_mark.data(), version_mark.size());
    if (found == nullptr) continue;
    const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    // Cut off by the end of this part: found again in the next one.
    if (at + text_max > text.size()) continue;
    const auto major = parse_postgres_version(text.substr(at, text_max));
    return major ? std::optional(*major) : std::nullopt;
  }
  return std::nullopt;
}

core::result<int> major_in(const std::string& directory) {
  const std::string program = directory + "/postgres";
  if (const auto major = major_written_in(program)) return *major;
  STRATA_ASSIGN(const outcome said, run({.arguments = {program, "--version"}}));
  return parse_postgres_version(said.output);
}

void add_directories(const std::string& list, std::vector<std::string>& to) {
  std::istringstream text(list);
  for (std::string directory; std::getline(text, directory, ':');)
    if (!directory.empty() && std::find(to.begin(), to.end(), directory) == to.end()) to.push_back(directory);
}

std::vector<std::string> places(int major, const install_search& where) {
  const std::string number = std::to_string(major);
  std::vector<std::string> all;
  add_directories(where.given, all);
  add_directories(where.environment, all);
  add_directories("/usr/lib/postgresql/" + number + "/bin:/usr/pgsql-" + number + "/bin", all);
  add_directories(where.path, all);
  return all;
}

}  // namespace

core::result<int> parse_postgres_version(const std::string& text) {
  static constexpr std::string_view mark = "(PostgreSQL) ";
  const auto at = text.find(mark);
  int major = 0;
  if (at != std::string::npos) {
    const char* begin = text.data() + at + mark.size();
    std::from_chars(begin, text.data() + text.size(), major);
  }
  if (major <= 0) return core::error{core::errc::invalid_argument, "unexpected output of postgres --version"};
  return major;
}

core::result<std::string> check_directories(const std::string& list) {
  std::vector<std::string> all;
  add_directories(list, all);
  std::string made;
  for (const auto& each : all) {
    const std::string path = std::filesystem::absolute(each).lexically_normal();
    if (::access((path + "/postgres").c_str(), X_OK) != 0)
      return core::error{core::errc::not_found, "there is no program postgres in " + path};
    made += (made.empty() ? "" : ":") + path;
  }
  return made;
}

core::result<std::string> find_postgres(int major, const install_search& where) {
  std::string looked;
  for (const std::string& place : places(major, where)) {
    const auto found = major_in(place);
    if (found && *found == major) return place;
    looked += (looked.empty() ? "" : ", ") + place + (found ? " (has " + std::to_string(*found) + ")" : "");
  }
  return core::error{core::errc::not_found,
                     "no postgres of version " + std::to_string(major) + " in " + looked +
                         "; install the package postgresql-" + std::to_string(major) +
                         " or name its directory, beside those of other versions, with --pg-bin"};
}

}  // namespace strata::host
