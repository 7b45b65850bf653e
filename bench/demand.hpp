#pragma once

#include <stdexcept>
#include <utility>

#include "core/result.hpp"

namespace strata::bench {

/// A benchmark that can't do its work ends: errors become exceptions.
template <class T>
T demand(core::result<T> outcome) {
  if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
  return *std::move(outcome);
}
inline void demand(core::result<void> outcome) {
  if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
}

}  // namespace strata::bench
