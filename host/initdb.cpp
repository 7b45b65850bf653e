#include "host/initdb.hpp"

#include <unistd.h>

#include <sstream>

#include "host/program.hpp"

namespace strata::host {
namespace {

constexpr std::chrono::minutes initdb_limit{3};

/// "invalid locale name "xx"" of "initdb: error: invalid locale name "xx""; else the last line.
std::string message_in(const std::string& output) {
  constexpr std::string_view mark = "error: ";
  std::istringstream lines(output);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find(mark); at != std::string::npos) return line.substr(at + mark.size());
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace

core::result<void> run_initdb(const initdb_request& request) {
  const std::string program = request.bin_directory + "/initdb";
  if (::access(program.c_str(), X_OK) != 0)
    return core::error{core::errc::not_found, "there is no program initdb in " + request.bin_directory};
  // A crash before the directory is used only repeats this: the caller makes durable what it keeps.
  STRATA_ASSIGN(const outcome ended, run({.arguments = {program, "--pgdata=" + request.directory, "--username=postgres",
                                                        "--auth=trust", "--encoding=" + request.encoding,
                                                        "--locale=" + request.locale, "--no-sync", "--no-instructions"},
                                          .directory = "/",
                                          .run_as = request.run_as,
                                          .environment = {{"LC_MESSAGES", "C"}, {"LANGUAGE", "C"}}},
                                         initdb_limit));
  if (ended.exit_code == 0) return {};
  const std::string why = message_in(ended.output);
  const bool is_choice = why.find("locale") != std::string::npos || why.find("encoding") != std::string::npos;
  return core::error{is_choice ? core::errc::invalid_argument : core::errc::io_error, "initdb: " + why};
}

}  // namespace strata::host
