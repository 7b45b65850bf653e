#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "consensus/cluster_view.hpp"
#include "core/clock.hpp"

namespace strata::control {

/// Asks all safekeepers of a server's directory how they are; those that are up are also looked for where their
/// timelines' configurations name them, as a proposer does. All are asked at the same time. Blocks, for seconds when
/// one does not answer.
std::vector<consensus::observed_safekeeper> observe_safekeepers(const std::string& server_directory);

/// Looks at the safekeepers for many callers and keeps, over all looks, since when each is in its state. Any thread.
class safekeeper_observer {
 public:
  explicit safekeeper_observer(std::string server_directory, const core::clock& clock = core::system_clock())
      : directory_(std::move(server_directory)), clock_(clock) {}

  /// A look that began after the call. Calls at the same time share one look.
  std::vector<consensus::observed_safekeeper> look();

 private:
  const std::string directory_;
  const core::clock& clock_;
  std::mutex mutex_;
  std::condition_variable ended_;
  consensus::observation_times times_;
  std::shared_ptr<const std::vector<consensus::observed_safekeeper>> last_;
  std::uint64_t looks_begun_ = 0;
  std::uint64_t last_look_ = 0;  ///< the number of the look that `last_` is of
  bool looking_ = false;
};

}  // namespace strata::control
