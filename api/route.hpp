#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.hpp"
#include "api/services.hpp"

namespace strata::api {

struct query_parameter {
  std::string_view name;
  std::string_view schema;  ///< its name in schemas()
  bool required = false;
  std::string_view meaning;
};

/// One operation of an API. A role's API is a table of them; dispatch, the OpenAPI description and its test read it.
struct route {
  std::string_view method;
  std::string_view path;  ///< "/v1/tenant/{tenant_id}"
  std::string_view operation;
  std::string_view summary;
  std::vector<query_parameter> query;
  std::string_view request_schema;   ///< its name in schemas(), empty: takes no body
  std::string_view response_schema;  ///< its name in schemas(), or a media type
  int success = 200;
  core::result<reply> (*handler)(const services&, const request&) = nullptr;
  std::string_view state_schema{};  ///< of 412, where the state of a thing may not allow it; empty: nowhere
};

using route_table = std::span<const route>;
/// The server's: the pageserver role and the process.
route_table routes();
/// A safekeeper's.
route_table safekeeper_routes();
/// A compute's.
route_table compute_routes();

/// The names between braces of a path.
std::vector<std::string> path_parameter_names(std::string_view path);

/// What a method and a path lead to.
struct matched_route {
  const route* found = nullptr;  ///< null: no such path, or not with this method
  std::map<std::string, std::string> parameters;
  std::vector<std::string_view> allowed;  ///< methods that this path has
};
matched_route match_route(route_table in, std::string_view method, std::string_view path);

/// The components that the tables name, as JSON text.
std::string_view schemas();
std::string_view safekeeper_schemas();
std::string_view compute_schemas();

/// The OpenAPI 3 description of a table, as JSON text.
std::string openapi(route_table of, std::string_view version, std::string_view title = "Strata management API");

}  // namespace strata::api
