#pragma once

#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// Whether a compute is what the name of its branch means: it writes the branch, or begins at its head. A standby,
/// which takes no writes, is reached by its own name only.
bool shows_present(const host::compute_record& record, core::lsn head);

/// Of a branch's running computes, the one that the branch's name means: the one that writes it, else the first
/// started copy or reader of its head. Null when all of them show an older state.
const host::compute_record* present_among(const std::vector<host::compute_record>& running, core::lsn head);

bool belongs_to(const host::compute_record& record, const core::tenant_id& tenant, const core::timeline_id& timeline);

/// What a compute is called that was given no name, the first choice first. `at`: invalid for the head.
std::vector<std::string> default_names(const std::string& source, const std::string& branch, core::lsn at,
                                       bool standby = false);

/// "12 min"
std::string age_of(const host::compute_record& record, core::wall_time now);
/// "dev@shop, port 26555, copy 12 min old", or "read-only, 12 min old"
std::string where_text(const host::compute_record& record, core::wall_time now);

}  // namespace strata::control
