#include "actors/compute/status_file.hpp"

#include <utility>

namespace strata::actors::compute {

bool status_file::save(const host::agent_status& now) {
  if (saving_ || now == written_) return false;
  content_ = now;
  written_ = now;
  saving_ = true;
  jobs_.run(
      "write compute-agent.json", [directory = directory_, now] { return host::save_status(directory, now); },
      [this](const core::result<void>& saved) {
        saving_ = false;
        const bool failed_before = std::exchange(failing_, !saved);
        if (!saved && !failed_before) context_.failed(saved.error());
        context_.written();
        // Not before: written() would write again at once, for as long as the disk fails.
        if (!saved && !saving_) written_.reset();
      });
  return true;
}

}  // namespace strata::actors::compute
