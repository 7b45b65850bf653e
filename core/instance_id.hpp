#pragma once

#include "core/ids.hpp"

namespace strata::core {

/// Identifies a safekeeper's directory: created with its first use, lost with its content. The same safekeeper ID on an
/// emptied directory is another instance.
using instance_id = random_id<struct instance_tag>;

}  // namespace strata::core
