#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "consensus/term.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::protocol {

/// The state that a safekeeper reports to a peer before recovery, as the value of SHOW acceptor_state:
/// "generation=1 term=5 flush_lsn=0/3000 commit_lsn=0/2000 history=1@0/1000,5@0/2000".
struct acceptor_summary {
  std::uint32_t generation = 0;
  consensus::term in;
  core::lsn flush_lsn;
  core::lsn commit_lsn;
  consensus::term_history history;
  auto operator<=>(const acceptor_summary&) const = default;
};
std::string to_text(const acceptor_summary& of);
/// errc::corrupt.
core::result<acceptor_summary> parse_acceptor_summary(std::string_view text);

}  // namespace strata::protocol
