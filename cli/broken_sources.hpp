#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/branches.hpp"

namespace strata::cli {

/// The sources that can't be used; all others go on. Only the one called `source` unless that is empty.
std::vector<source_entry> list_broken_sources(const server_link& server, const std::string& source);

/// [{"name", "tenant_id", "state"}]
nlohmann::json broken_json(const std::vector<source_entry>& broken);

/// A branch without an ancestor, which follows a source as long as it can be opened.
bool is_broken_root(const branch_entry& of);

/// The last thing that a command does which has listed what there is: a failure that names the sources that could not
/// be listed in full, and the branches that can't be opened, if there are any.
void fail_if_broken(const context& of, const std::vector<source_entry>& broken,
                    const std::vector<branch_entry>& branches);

}  // namespace strata::cli
