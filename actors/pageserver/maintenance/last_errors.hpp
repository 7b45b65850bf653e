#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace strata::actors::pageserver {

/// The last errors of a timeline's work, by kind of work, until it succeeds. In the order of their text.
enum class timeline_work : std::uint8_t { collection, compaction, flush, gap, layers };

class last_errors {
 public:
  /// Result of its last attempt; `why` is empty when it succeeded.
  void set(timeline_work work, std::string why) {
    if (why.empty())
      errors_.erase(work);
    else
      errors_[work] = std::move(why);
  }
  [[nodiscard]] bool has(timeline_work work) const { return errors_.contains(work); }
  /// Empty when nothing failed.
  [[nodiscard]] std::string text() const {
    std::string all;
    for (const auto& [work, why] : errors_) all += (all.empty() ? "" : "; ") + why;
    return all;
  }

 private:
  std::map<timeline_work, std::string> errors_;
};

}  // namespace strata::actors::pageserver
