#pragma once

#include <array>
#include <cstdint>
#include <string_view>

/// The states that the API shows, with their names. Free of CAF: clients and code without actors use them, too.
namespace strata::messages {

/// State of a tenant; placement/tenant_life.hpp has the transitions. The reason of `broken` is a separate field.
enum class tenant_state : std::uint8_t {
  attaching,  ///< its metadata is being loaded
  importing,  ///< it is created from files, and can't be used before that is done
  active,
  stopping,  ///< the server is stopping
  deleting,
  broken
};
inline constexpr std::array tenant_states{tenant_state::attaching, tenant_state::importing, tenant_state::active,
                                          tenant_state::stopping,  tenant_state::deleting,  tenant_state::broken};

constexpr std::string_view to_string(tenant_state state) {
  switch (state) {
    case tenant_state::attaching: return "attaching";
    case tenant_state::importing: return "importing";
    case tenant_state::active: return "active";
    case tenant_state::stopping: return "stopping";
    case tenant_state::deleting: return "deleting";
    case tenant_state::broken: return "broken";
  }
  return "broken";
}

/// State of a timeline, that is, of a branch. The reason of `broken` is a separate field.
enum class timeline_state : std::uint8_t {
  importing,  ///< the base backup of its source is being taken
  active,
  stopping,
  broken  ///< it can't be opened, or its actor failed
};
inline constexpr std::array timeline_states{timeline_state::importing, timeline_state::active, timeline_state::stopping,
                                            timeline_state::broken};

constexpr std::string_view to_string(timeline_state state) {
  switch (state) {
    case timeline_state::importing: return "importing";
    case timeline_state::active: return "active";
    case timeline_state::stopping: return "stopping";
    case timeline_state::broken: return "broken";
  }
  return "broken";
}

/// Where the WAL of a timeline comes from.
enum class wal_from : std::uint8_t { nowhere, source, safekeepers };

constexpr std::string_view to_string(wal_from origin) {
  switch (origin) {
    case wal_from::nowhere: return "nowhere";
    case wal_from::source: return "source";
    case wal_from::safekeepers: return "safekeepers";
  }
  return "nowhere";
}

/// State of a compute, as its control endpoints show it; actors/compute/control_state.hpp derives it.
enum class compute_state : std::uint8_t {
  empty,                  ///< its agent has not begun
  configuration_pending,  ///< new settings are being checked; the earlier ones are in force
  init,                   ///< Postgres is being started, or started again
  running,
  configuration,                  ///< new settings are being applied, by a reload or a restart of Postgres
  failed,                         ///< it has ended, or is about to, for the reason in its error
  termination_pending_fast,       ///< it ends when everything is acknowledged
  termination_pending_immediate,  ///< it ends at once
  terminated
};
inline constexpr std::array compute_states{compute_state::empty,
                                           compute_state::configuration_pending,
                                           compute_state::init,
                                           compute_state::running,
                                           compute_state::configuration,
                                           compute_state::failed,
                                           compute_state::termination_pending_fast,
                                           compute_state::termination_pending_immediate,
                                           compute_state::terminated};

constexpr std::string_view to_string(compute_state state) {
  switch (state) {
    case compute_state::empty: return "empty";
    case compute_state::configuration_pending: return "configuration_pending";
    case compute_state::init: return "init";
    case compute_state::running: return "running";
    case compute_state::configuration: return "configuration";
    case compute_state::failed: return "failed";
    case compute_state::termination_pending_fast: return "termination_pending_fast";
    case compute_state::termination_pending_immediate: return "termination_pending_immediate";
    case compute_state::terminated: return "terminated";
  }
  return "failed";
}

}  // namespace strata::messages
