#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "consensus/term.hpp"
#include "core/result.hpp"

namespace strata::consensus {

struct member {
  node_id id;
  std::string host;
  std::uint16_t port = 0;  ///< of its WAL service
  auto operator<=>(const member&) const = default;
};

/// The safekeepers that keep the WAL of a timeline. While members change there are two sets, and a quorum is a majority
/// of each.
///
///   {g, old} --begin_change--> {g+1, old, new} --finish_change--> {g+2, new}
///
/// Every message of the protocol carries the generation; an acceptor takes part in exactly one.
struct configuration {
  std::uint32_t generation = 0;  ///< 0: none yet
  std::vector<member> members;
  std::optional<std::vector<member>> new_members;

  auto operator<=>(const configuration&) const = default;
  [[nodiscard]] bool changing() const { return new_members.has_value(); }
  [[nodiscard]] bool contains(node_id id) const;
  /// Of both sets, each once, ids ascending.
  [[nodiscard]] std::vector<member> all() const;

  /// Whether the members for which `has` is true are a majority (of both sets while members change).
  [[nodiscard]] bool is_quorum(const std::function<bool(node_id)>& has) const;
  /// The highest position that a quorum has reached. Without members: 0.
  [[nodiscard]] core::lsn quorum_position(const std::function<core::lsn(node_id)>& position) const;
  /// How many more members may fail before the reachable ones are no quorum; -1: they are no quorum now.
  [[nodiscard]] int can_lose(const std::function<bool(node_id)>& reachable) const;
};

/// errc::invalid_argument: no member, an id twice, id 0, more than members_max.
core::result<void> check(const configuration& of);
inline constexpr std::size_t members_max = 32;

/// The two steps of a change. begin_change: errc::conflict while one is under way, errc::invalid_argument as check().
core::result<configuration> begin_change(const configuration& now, std::vector<member> to);
/// Precondition: now.changing().
configuration finish_change(const configuration& now);
/// The old members, as generation + 1. Precondition: now.changing().
configuration abandon_change(const configuration& now);

}  // namespace strata::consensus
