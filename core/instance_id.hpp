#pragma once

#include "core/ids.hpp"

namespace strata::core {

/// One life of a safekeeper's directory: made when it is first used, and gone with it. The same number on a directory
/// that was emptied is another instance.
using instance_id = random_id<struct instance_tag>;

}  // namespace strata::core
