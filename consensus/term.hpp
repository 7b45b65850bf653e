#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/lsn.hpp"

namespace strata::consensus {

/// The period of one proposer, numbered. 0: none yet.
struct term {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const term&) const = default;
  [[nodiscard]] constexpr term next() const { return {value + 1}; }
};

/// A safekeeper's ID in its cluster, never reused. 0: none.
struct node_id {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const node_id&) const = default;
};

std::string to_string(term of);
std::string to_string(node_id of);

/// A term and where its proposer began to write.
struct term_start {
  term in;
  core::lsn at;
  auto operator<=>(const term_start&) const = default;
};

/// Which term wrote which part of a log: terms ascend, positions do not descend. The WAL of a term ends where the next
/// one begins; that of the last ends with the log.
class term_history {
 public:
  term_history() = default;
  /// Precondition: well_formed(entries).
  explicit term_history(std::vector<term_start> entries);
  static bool well_formed(std::span<const term_start> entries);

  [[nodiscard]] const std::vector<term_start>& entries() const { return entries_; }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] core::lsn start() const { return entries_.empty() ? core::lsn() : entries_.front().at; }
  [[nodiscard]] term last_term() const { return entries_.empty() ? term() : entries_.back().in; }

  /// The term of the last entry that starts at or before `end`: the last writer of a log that ends there.
  [[nodiscard]] term last_term_at(core::lsn end) const;
  /// Without the entries that start after `end`.
  [[nodiscard]] term_history up_to(core::lsn end) const;
  /// Precondition: next.in is above last_term(), next.at not before the last start.
  [[nodiscard]] term_history with(term_start next) const;

  auto operator<=>(const term_history&) const = default;

 private:
  std::vector<term_start> entries_;
};

/// Up to where a log that ends at `end` equals the log of a proposer; 0 when they have no term in common.
core::lsn common_point(const term_history& own, core::lsn end, const term_history& proposer);

}  // namespace strata::consensus
