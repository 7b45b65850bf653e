#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace strata::pg::client {

/// A value of a connection string, in quotes: no value can become another option.
std::string conninfo_value(std::string_view value);

/// The database that a connection string or URI names, as libpq parses it; empty when it names none or is invalid.
std::string database_in_conninfo(const std::string& conninfo);
/// The same for the user.
std::string user_in_conninfo(const std::string& conninfo);

/// Why libpq refuses it, without its values: errc::invalid_argument, with the first invalid option.
core::error unreadable_conninfo(const std::string& conninfo);

/// The start-up option by which a connection to a safekeeper names its timeline.
std::string timeline_option(const core::tenant_id& tenant, const core::timeline_id& timeline);

/// The connection string of a replication connection to a timeline's WAL on a safekeeper.
std::string safekeeper_conninfo(std::string_view host, std::uint16_t port, const core::tenant_id& tenant,
                                const core::timeline_id& timeline);

}  // namespace strata::pg::client
