#pragma once

#include <string>

#include "config/options.hpp"
#include "core/result.hpp"

namespace strata::config {

/// `base` with the options of a TOML file put over it: server options at top level, tenant defaults under
/// [tenant_config]. A file that does not exist changes nothing. errc::invalid_argument names the line of what is
/// unknown or malformed.
core::result<server_options> load_config_file(const std::string& path, server_options base);

}  // namespace strata::config
