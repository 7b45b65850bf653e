#include "actors/compute/command_state.hpp"

#include <filesystem>

#include "host/registry.hpp"
#include "host/start_lock.hpp"

namespace strata::actors::compute {

command_state look_at_command(const std::string& directory, const std::string& compute) {
  const bool runs = host::start_lock::is_held(directory);
  // Afterwards: the command writes it before it ends. A damaged record ends nobody.
  const std::filesystem::path computes = std::filesystem::path(directory).parent_path();
  const auto record = host::registry(computes.parent_path()).load(compute);
  return {runs, !record || record->ready};
}

}  // namespace strata::actors::compute
