#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::actors::pageserver {

/// An earlier timeline of a server, and where the next one forked from it.
struct left_timeline {
  std::uint32_t id = 0;
  core::lsn end;
  bool operator==(const left_timeline&) const = default;
};

/// The content of a timeline history file, oldest first. errc::corrupt when it is invalid.
core::result<std::vector<left_timeline>> parse_history(std::string_view text);

/// How far a source was followed.
struct followed_position {
  std::uint32_t timeline = 0;  ///< 0: not known
  core::lsn at;                ///< all WAL before it was received
  core::lsn read_from;         ///< where reading continues: at or before `at`
};

/// The timeline on which a server that is on `timeline` now has the WAL at read_from. errc::conflict, with the fork
/// point, when it left the history that was followed: its timeline does not descend from the followed one, or forked
/// from it before `at`.
core::result<std::uint32_t> timeline_to_read(std::uint32_t timeline, const std::vector<left_timeline>& history,
                                             const followed_position& followed);

/// The error for a server without the history that was followed.
core::error not_the_same_server(const std::string& why);

}  // namespace strata::actors::pageserver
