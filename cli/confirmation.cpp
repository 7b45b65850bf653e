#include "cli/confirmation.hpp"

#include <unistd.h>

#include <iostream>

#include "cli/terminal.hpp"
#include "control/failure.hpp"

namespace strata::cli {

void confirm(const std::string& doing, const std::string& name, const std::vector<std::string>& lines, bool yes) {
  if (yes) return;
  if (::isatty(STDIN_FILENO) != 1 || !talk_is_terminal())
    throw control::failure(core::errc::invalid_argument, doing,
                           "nobody can be asked to confirm it; nothing was changed", "add --yes");
  for (const std::string& each : lines) say(each);
  std::cerr << "type " << name << " to confirm: " << std::flush;
  std::string typed;
  std::getline(std::cin, typed);
  if (typed != name)
    throw control::failure(core::errc::conflict, doing, "it was not confirmed; nothing was changed",
                           "repeat the command and type " + name);
}

}  // namespace strata::cli
