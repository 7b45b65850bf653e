#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/instance_id.hpp"
#include "core/result.hpp"

namespace strata::pg::wire {

/// The identity of the safekeeper at an address, sent as a parameter when a connection starts. It detects another
/// safekeeper that has taken over the port, and the same one on a copied directory.
struct safekeeper_identity {
  std::uint64_t id = 0;        ///< in its cluster
  core::instance_id instance;  ///< of its directory
  pid_t process = 0;
  auto operator<=>(const safekeeper_identity&) const = default;
};
inline constexpr std::string_view safekeeper_parameter = "strata_safekeeper";

/// "2 0123456789abcdef0123456789abcdef 4711"
std::string to_text(const safekeeper_identity& of);
/// nullopt for a text that to_text() does not write.
std::optional<safekeeper_identity> parse_safekeeper_identity(std::string_view text);

/// errc::conflict when another safekeeper than the expected one answers. Unknown (0) fields of `expected` pass.
core::result<void> check_identity(const safekeeper_identity& expected, const safekeeper_identity& answering);

}  // namespace strata::pg::wire
