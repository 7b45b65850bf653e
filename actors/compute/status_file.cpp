#include "actors/compute/status_file.hpp"

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
        if (!saved) context_.failed(saved.error());
        context_.written();
        // Not before: written() would write again at once, for as long as the disk fails.
        if (!saved && !saving_) written_.reset();
      });
  return true;
}

}  // namespace strata::actors::compute
