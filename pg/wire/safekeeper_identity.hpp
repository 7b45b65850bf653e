#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/instance_id.hpp"
#include "core/result.hpp"

namespace strata::pg::wire {

/// Who answers at an address. A safekeeper tells it as a parameter when a connection starts, so that whoever has taken
/// over its port is not taken for it: another safekeeper, or the same one of a copied directory.
struct safekeeper_identity {
  std::uint64_t id = 0;        ///< in its cluster
  core::instance_id instance;  ///< of its directory
  pid_t process = 0;
  auto operator<=>(const safekeeper_identity&) const = default;
};
inline constexpr std::string_view safekeeper_parameter = "strata_safekeeper";

/// "2 0123456789abcdef0123456789abcdef 4711"
std::string to_text(const safekeeper_identity& of);
/// Nothing for what to_text() does not write.
std::optional<safekeeper_identity> parse_safekeeper_identity(std::string_view text);

/// errc::conflict when somebody else answers than was expected. What is not known (0) of the expected one passes.
core::result<void> check_identity(const safekeeper_identity& expected, const safekeeper_identity& answering);

}  // namespace strata::pg::wire
