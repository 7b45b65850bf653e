#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace strata::console {

/// What has to be known of a request before it is whole: where it ends, and who answers it. Everything else is read by
/// the HTTP library once the request is here.
struct request_head {
  std::string_view method;
  std::string_view path;  ///< without the query, as it came
  std::size_t size = 0;   ///< with the empty line at its end
  std::size_t body_size = 0;
  bool wants_continue = false;  ///< Expect: 100-continue
  /// How long the body is can't be told: two lengths, no number, or Transfer-Encoding. Nothing can follow on the
  /// connection.
  bool body_unknown = false;
};

/// nullopt: it is not complete. What is no HTTP has an empty method.
std::optional<request_head> find_head(std::string_view input);

/// The threads that answer a request: what is slow in one lane holds up nobody in another.
enum class lane : std::uint8_t {
  liveness,      ///< asks nobody: always answers
  process,       ///< what the process is: status, metrics
  queries,       ///< reads
  changes,       ///< short changes
  long_work,     ///< what writes files, or talks to other machines, before it answers
  export_start,  ///< opening an archive, which may wait for an LSN
  export_parts,  ///< the next part of one
};
inline constexpr std::size_t lane_count = 7;
lane lane_of(std::string_view method, std::string_view path);

}  // namespace strata::console
