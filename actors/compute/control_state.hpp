#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "host/agent_status.hpp"
#include "messages/compute_control.hpp"

namespace strata::actors::compute {

using messages::compute_state;

/// Where the agent stands, as it last reported.
struct agent_phase {
  bool begun = false;
  bool gone = false;  ///< it has ended; its last report is the final one, unless it died
  strata::host::agent_state state = strata::host::agent_state::waiting_for_quorum;
  /// Postgres is being ended: the state that follows.
  std::optional<strata::host::agent_state> ending;
  std::uint32_t incarnations = 0;  ///< times that Postgres became ready
};

/// How far a change of settings is.
enum class change_phase : std::uint8_t {
  none,
  checking,    ///< Postgres reads them in a file of their own
  applying,    ///< they are written, and Postgres reads its files again
  restarting,  ///< some of them need another incarnation of Postgres
  reverting,   ///< which did not start: the earlier settings are used again
  storing      ///< they are in force, and are being stored for the next start
};

/// The state of a compute.
compute_state state_of(const agent_phase& agent, change_phase change);

enum class control_request : std::uint8_t { check_writability, configure, end_fast, end_immediate };
/// The states in which the request is taken; none when a compute that does not write its branch never takes it.
std::vector<compute_state> allowed_states(control_request of, bool writes);
/// nullopt: it is taken.
std::optional<messages::state_refusal> refusal_of(control_request what, compute_state now, bool writes);

/// A change of settings, one at a time, as a pure machine. The shell carries out the effect of each input and reports
/// its end. `error` says why the change was refused.
class settings_change {
 public:
  enum class effect : std::uint8_t {
    none,
    check,    ///< then checked()
    apply,    ///< then applied()
    adopt,    ///< the agent uses them from now on; store them, then stored()
    restart,  ///< the agent uses them from now on, in another incarnation of Postgres
    store,    ///< then stored()
    revert,   ///< the agent uses the earlier ones again
    succeed,  ///< answer
    refuse    ///< answer with error(): the earlier ones are in force
  };

  [[nodiscard]] change_phase phase() const { return phase_; }
  [[nodiscard]] const core::error& error() const { return error_; }

  /// Precondition: none is under way.
  effect begin();
  effect checked(const core::result<void>& how);
  effect applied(const core::result<bool>& needs_restart, const agent_phase& agent);
  effect stored(const core::result<void>& how);
  /// At every report of the agent. `detail`: the reason of its state.
  effect reported(const agent_phase& agent, const std::string& detail);

 private:
  effect enter(change_phase to, effect with) {
    phase_ = to;
    return with;
  }
  effect refuse(core::error why) {
    error_ = std::move(why);
    return enter(change_phase::none, effect::refuse);
  }

  change_phase phase_ = change_phase::none;
  core::error error_;
  std::uint32_t incarnations_ = 0;  ///< at the request for a restart
  bool starts_ = false;             ///< Postgres is being started with the new settings
};

}  // namespace strata::actors::compute
