#pragma once

#include <optional>
#include <vector>

#include "core/lsn.hpp"

namespace strata::storage {

class timeline_store;

/// The versions that one memory layer holds: from `begin` on, and, once it is frozen, below `end`.
struct memory_span {
  core::lsn begin;
  std::optional<core::lsn> end;
};

/// The memory layers of a timeline, the open one first, then the frozen ones, newest first.
std::vector<memory_span> memory_spans(const timeline_store& of);

}  // namespace strata::storage
