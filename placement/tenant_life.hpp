#pragma once

#include <string>
#include <vector>

#include "core/error.hpp"
#include "messages/states.hpp"

namespace strata::placement {

/// What a request needs of its tenant.
enum class tenant_need {
  information,  ///< the tenant's own record and options
  list,         ///< which timelines there are
  timeline,     ///< one timeline, to read from it or to configure it
  change,       ///< one timeline more, or one less
  removal       ///< the tenant itself is deleted
};

enum class tenant_admission { serve, wait, refuse };

/// What the owner does next, in the order given.
enum class tenant_effect {
  start_timelines,
  answer_waiting,   ///< the requests that were told to wait are admitted anew
  stop_timelines,   ///< then timelines_stopped()
  remove_metadata,  ///< files and records of all timelines, then the tenant's own; then removed() or removal_failed()
  end               ///< the tenant is no more, in this process or at all
};

/// The states of one tenant, from the start of the server or its creation to the end of either.
///
///   attaching --loaded--> active --remove--> deleting --timelines_stopped, removed--> end
///       `--load_failed--> broken --remove------^  `--removal_failed--> broken
///   every state --stop--> stopping --timelines_stopped--> end
class tenant_life {
 public:
  using effects = std::vector<tenant_effect>;

  [[nodiscard]] messages::tenant_state state() const { return state_; }
  /// Why it is broken; empty in every other state.
  [[nodiscard]] const std::string& reason() const { return reason_; }

  /// "active", "broken: why".
  [[nodiscard]] std::string text() const;

  [[nodiscard]] tenant_admission admit(tenant_need need) const;
  /// errc::unavailable: "tenant shop is stopping". Precondition: the tenant does not serve everything.
  [[nodiscard]] core::error refusal(const std::string& tenant) const;

  effects loaded();
  effects load_failed(std::string why);
  effects stop();
  /// Precondition: admit(removal) is serve.
  effects remove();
  effects timelines_stopped();
  effects removed();
  effects removal_failed(std::string why);

  /// Empty while all invariants hold, else the one that does not. Checked after each input.
  [[nodiscard]] std::string broken_invariant() const;
  bool operator==(const tenant_life&) const = default;

 private:
  enum class timelines { not_started, running, ending, stopped };

  effects moved(effects made) const;

  messages::tenant_state state_ = messages::tenant_state::attaching;
  timelines timelines_ = timelines::not_started;
  std::string reason_;
};

}  // namespace strata::placement
