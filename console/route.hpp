#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "console/http.hpp"
#include "console/services.hpp"

namespace strata::console {

struct query_parameter {
  std::string_view name;
  std::string_view type;  ///< of JSON schema: "string", "integer", "boolean"
  bool required = false;
  std::string_view meaning;
};

/// One operation of the API. The table of all is routes(); dispatch, the OpenAPI description and its test read it.
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
};

std::span<const route> routes();

/// The names between braces of a path.
std::vector<std::string> path_parameter_names(std::string_view path);

/// What a method and a path lead to.
struct matched_route {
  const route* found = nullptr;  ///< null: no such path, or not with this method
  std::map<std::string, std::string> parameters;
  std::vector<std::string_view> allowed;  ///< methods that this path has
};
matched_route match_route(std::string_view method, std::string_view path);

/// The components of the OpenAPI description that routes() names, as JSON text.
std::string_view schemas();

/// The OpenAPI 3 description of routes(), as JSON text.
std::string openapi(std::string_view version);

}  // namespace strata::console
