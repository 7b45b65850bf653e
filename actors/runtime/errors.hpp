#pragma once

#include <caf/error.hpp>

#include "core/error.hpp"
#include "messages/errors.hpp"

namespace strata::actors::runtime {

/// How an error travels between actors: code and detail arrive as they were sent. Errors of CAF's own (receiver gone,
/// exit reasons) become the nearest of ours.
using messages::to_caf;
inline core::error to_core(const caf::error& from) { return messages::from_caf(from); }

}  // namespace strata::actors::runtime
