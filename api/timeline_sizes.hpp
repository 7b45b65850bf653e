#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "core/clock.hpp"
#include "core/ids.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::api {

/// The sizes of one timeline in the API's answers. Sizes are counted by reading the whole catalog: those of an LSN
/// are kept, and served for a while after it. Any thread.
class timeline_sizes {
 public:
  /// Blocks.
  nlohmann::json describe(const core::timeline_id& id, const storage::timeline_store& store);

 private:
  static constexpr std::size_t kept_max = 1024;
  static constexpr std::chrono::seconds served_for{5};
  struct counted {
    core::lsn at;
    core::monotonic_time when;
    std::uint64_t logical_bytes = 0;
    std::vector<std::uint64_t> directory_entries;
  };
  /// nullopt: they can't be read.
  std::optional<counted> count(const core::timeline_id& id, const storage::timeline_store& store);

  std::mutex mutex_;
  std::map<core::timeline_id, counted> kept_;
};

}  // namespace strata::api
