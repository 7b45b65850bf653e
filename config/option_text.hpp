#pragma once

#include <string>
#include <string_view>

#include "config/options.hpp"
#include "core/result.hpp"

namespace strata::config {

/// Tenant options as JSON objects, under Neon's names: {"gc_horizon": 67108864, "pitr_interval": "7d"}. Durations may
/// be text ("10 min", "7 d") or numbers of milliseconds, sizes text ("64 MiB") or numbers of bytes.

/// `base` with the members of `json` put over it. Empty text and {} change nothing; null puts the default back.
/// errc::invalid_argument names the member that is unknown (with a suggestion), malformed or out of its limits.
core::result<tenant_options> apply_overrides(tenant_options base, std::string_view json,
                                             const tenant_options& defaults = {});

/// What must be put over `base` to get `value`; {} when they are equal.
std::string overrides_of(const tenant_options& value, const tenant_options& base);

/// Every option of `value`.
std::string options_text(const tenant_options& value);

}  // namespace strata::config
