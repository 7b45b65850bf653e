#include <nlohmann/json.hpp>

#include "console/route.hpp"

namespace strata::console {
namespace {

using json = nlohmann::ordered_json;

json reference(std::string_view schema) { return {{"$ref", "#/components/schemas/" + std::string(schema)}}; }

json content_of(std::string_view schema) {
  if (schema.find('/') == std::string_view::npos) return {{"application/json", {{"schema", reference(schema)}}}};
  const bool text = schema.starts_with("text/");
  return {{std::string(schema),
           {{"schema", text ? json{{"type", "string"}} : json{{"type", "string"}, {"format", "binary"}}}}}};
}

json parameters_of(const route& of) {
  json parameters = json::array();
  for (const std::string& name : path_parameter_names(of.path))
    parameters.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", reference("Id")}});
  for (const query_parameter& parameter : of.query)
    parameters.push_back({{"name", parameter.name},
                          {"in", "query"},
                          {"required", parameter.required},
                          {"description", parameter.meaning},
                          {"schema", {{"type", parameter.type}}}});
  return parameters;
}

json operation_of(const route& of) {
  json operation{{"operationId", of.operation}, {"summary", of.summary}, {"parameters", parameters_of(of)}};
  if (!of.request_schema.empty())
    operation["requestBody"] = {{"required", true}, {"content", content_of(of.request_schema)}};
  operation["responses"] = {
      {std::to_string(of.success), {{"description", "done"}, {"content", content_of(of.response_schema)}}},
      {"default", {{"description", "refused or failed"}, {"content", content_of("Error")}}}};
  return operation;
}

}  // namespace

std::string openapi(std::string_view version) {
  json paths = json::object();
  for (const route& each : routes()) {
    std::string method(each.method);
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    paths[std::string(each.path)][method] = operation_of(each);
  }
  const json description{
      {"openapi", "3.0.3"},
      {"info", {{"title", "Strata management API"}, {"version", version}}},
      {"paths", paths},
      {"components", {{"schemas", json::parse(schemas())}}},
  };
  return description.dump(1) + "\n";
}

}  // namespace strata::console
