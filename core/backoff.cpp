#include "core/backoff.hpp"

#include <algorithm>

namespace strata::core {

std::chrono::milliseconds backoff::next() {
  last_ = std::min(failures_ == 0 ? limits_.first : last_ + last_ * limits_.growth_percent / 100, limits_.longest);
  ++failures_;
  return last_;
}

}  // namespace strata::core
