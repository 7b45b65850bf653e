#pragma once

#include <string>
#include <vector>

namespace strata::host {

/// What `ps` shows of this process from now on. Words that need more room than those it was started with are shown as
/// one text; what does not fit into the room of its environment, too, is cut off. Pointers into argv and into the
/// environment that were taken before are invalid afterwards. Precondition: one thread.
void show_command_line(const std::vector<std::string>& words);

}  // namespace strata::host
