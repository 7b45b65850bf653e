#include "actors/compute/command_watch.hpp"

#include <filesystem>
#include <utility>

#include "host/start_lock.hpp"

namespace strata::actors::compute {
namespace {

struct command_state {
  bool runs = false;
  bool compute_is_ready = false;
};

command_state look_at_command(const std::string& directory, const std::string& compute) {
  const bool runs = host::start_lock::is_held(directory);
  // Afterwards: the command writes it before it ends. A damaged record ends nobody.
  const std::filesystem::path computes = std::filesystem::path(directory).parent_path();
  const auto record = host::registry(computes.parent_path()).load(compute);
  return {runs, !record || record->ready};
}

}  // namespace

void command_watch::look(std::function<void()> gone) {
  if ((!temporary_ && ready_) || looking_) return;
  looking_ = true;
  jobs_.run(
      "look for the command",
      [here = directory_, name = name_]() -> core::result<command_state> { return look_at_command(here, name); },
      [this, gone = std::move(gone)](const core::result<command_state>& now) {
        looking_ = false;
        if (!now) return;
        ready_ = now->compute_is_ready;
        if (!now->runs && (temporary_ || !ready_)) gone();
      });
}

}  // namespace strata::actors::compute
