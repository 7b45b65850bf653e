#include "actors/compute/status_file.hpp"

namespace strata::actors::compute {

bool status_file::save(const host::agent_status& now) {
  if (saving_ || (now == content_ && saved_once_)) return false;
  content_ = now;
  saving_ = saved_once_ = true;
  jobs_.run(
      "write compute-agent.json", [directory = directory_, now] { return host::save_status(directory, now); },
      [this](const core::result<void>& saved) {
        saving_ = false;
        if (!saved) context_.failed(saved.error());
        context_.written();
      });
  return true;
}

}  // namespace strata::actors::compute
