#pragma once

#include <string>
#include <vector>

namespace strata::host {

/// What a Postgres must run with whose commits a quorum keeps, as "name=value" for its command line, where nobody can
/// change it (decision 23). `standby_name`: the application_name of the one synchronous standby. `logical`: the branch
/// is to have logical replication slots (decision 63).
std::vector<std::string> quorum_settings(const std::string& standby_name, bool logical = false);

}  // namespace strata::host
