#pragma once

#include <string>
#include <vector>

#include "host/registry.hpp"

namespace strata::control {

/// Lines of --set, refused where they are typed and not after a restore: what is no setting, what is not for the user
/// to choose, and, without --armed, libraries whose workers act on other servers, and io_uring.
void check_settings(const std::vector<std::string>& lines, bool armed);

/// What to do after Postgres did not start: with --set lines these are what it most likely did not like.
std::string next_after_failed_start(const host::compute_record& record, const std::string& without_settings);

}  // namespace strata::control
