#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace strata::api {

/// The head of a request, as far as this server minds it. Its texts are views of what was read.
struct request_head {
  std::string_view method;  ///< empty: it is no HTTP
  std::string_view path;    ///< without the query, as it came
  std::string_view query;   ///< behind the '?', as it came
  std::size_t size = 0;     ///< with the empty line at its end
  std::size_t body_size = 0;
  bool wants_continue = false;  ///< Expect: 100-continue
  /// How long the body is can't be told: two lengths, no number, or Transfer-Encoding. Nothing can follow on the
  /// connection.
  bool body_unknown = false;
  bool has_transfer_encoding = false;
  bool has_content_encoding = false;
  bool closes = false;    ///< the client sends nothing more after it
  std::string_view host;  ///< the last one, of `hosts`
  std::size_t hosts = 0;
  std::string_view origin;  ///< with has_origin
  bool has_origin = false;
  bool is_cross_site = false;  ///< a browser says that a page of another origin asks
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
/// `path` is decoded: a lane can't be chosen by the spelling.
lane lane_of(std::string_view method, std::string_view path);

/// In whose name a request takes its share of a lane (worker_lanes.hpp): the tenant that its path names, else the one
/// its body names, else the path: what names no tenant yet, like a new source, is one group. Empty for the process's
/// own routes.
std::string group_of(lane in, std::string_view path, std::string_view body);

/// The members of a query, decoded; the first of a name counts.
std::map<std::string, std::string> query_members(std::string_view query);

}  // namespace strata::api
