#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "control/scope.hpp"
#include "core/ids.hpp"

namespace strata::control {

/// The newest term in which a compute of the server's directory has won each branch, as the agents that run report it.
/// Their files are read once, at the first question.
class won_terms {
 public:
  explicit won_terms(const scope& of) : of_(of) {}
  /// The newest one after `term`: no other compute of the branch gets a commit acknowledged.
  [[nodiscard]] std::optional<std::uint64_t> later(const core::timeline_id& branch, std::uint64_t term) const;

 private:
  using newest = std::map<core::timeline_id, std::uint64_t>;
  [[nodiscard]] newest read() const;

  const scope& of_;
  mutable std::optional<newest> newest_;
};

}  // namespace strata::control
