#pragma once

#include <caf/error.hpp>

#include "core/error.hpp"
#include "messages/errors.hpp"

namespace strata::actors::runtime {

/// The form of an error between actors: code and detail arrive as they were sent. CAF's own errors (receiver ended,
/// exit reasons) become the nearest of ours.
using messages::to_caf;
inline core::error to_core(const caf::error& from) { return messages::from_caf(from); }

}  // namespace strata::actors::runtime
