#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "control/branches.hpp"

namespace strata::control {

/// The broken sources; all others are available. Only `source`, unless it is empty.
std::vector<source_entry> list_broken_sources(const server_link& server, const std::string& source);

/// The sources without a branch: their removal was interrupted, or their last branch was deleted.
std::vector<source_entry> list_empty_sources(const server_link& server, const std::string& source,
                                             const std::vector<branch_entry>& branches);
/// What is to be said of one.
inline constexpr const char* empty_source_note = "it has no branch; strata source remove takes it away";

/// [{"name", "tenant_id", "state"}]
nlohmann::json broken_json(const std::vector<source_entry>& broken);

/// A branch without an ancestor, which follows a source as long as it can be opened.
bool is_broken_root(const branch_entry& of);

/// The last thing that a command does which has listed what there is: a failure that names the sources that could not
/// be listed in full, and the branches that can't be opened, if there are any.
void fail_if_broken(const scope& of, const std::vector<source_entry>& broken,
                    const std::vector<branch_entry>& branches);

}  // namespace strata::control
