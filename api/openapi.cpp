#include <nlohmann/json.hpp>

#include "api/route.hpp"
#include "config/option_field.hpp"

namespace strata::api {
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
                          {"schema", reference(parameter.schema)}});
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

/// Moves what `in` refers to from `known` to `used`, and what that refers to.
void collect_schemas(const json& in, json& known, json& used) {
  constexpr std::string_view prefix = "#/components/schemas/";
  if (in.is_object() && in.contains("$ref")) {
    const std::string name = in["$ref"].get<std::string>().substr(prefix.size());
    const auto found = known.find(name);
    if (found == known.end()) return;
    const json schema = std::move(*found);
    known.erase(found);
    used[name] = schema;
    collect_schemas(schema, known, used);
  }
  if (in.is_structured())
    for (const json& each : in) collect_schemas(each, known, used);
}

/// What an option of a tenant may be set to: a number within its limits, or a text with a unit.
json schema_of(const config::option_field<config::tenant_options>& option) {
  using field = config::option_field<config::tenant_options>;
  json number{{"type", "integer"}, {"minimum", option.least}, {"maximum", option.most}};
  std::string pattern = "^[0-9]{1,10}$";
  if (std::holds_alternative<field::duration_member>(option.member))
    pattern = "^ *([0-9]{1,9} *(ms|s|sec|m|min|h|hour|hours|d|day|days|w|week|weeks) *)+$";
  if (std::holds_alternative<field::size_member>(option.member))
    pattern = "^ *[0-9]{1,15} *([kKMGT]i?[bB]|[bBkKMGT])? *$";
  return {{"description", option.meaning},
          {"nullable", true},
          {"oneOf", {std::move(number), {{"type", "string"}, {"pattern", pattern}}}}};
}

}  // namespace

std::string openapi(route_table of, std::string_view version) {
  json paths = json::object();
  for (const route& each : of) {
    std::string method(each.method);
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    paths[std::string(each.path)][method] = operation_of(each);
  }
  json known = json::parse(schemas());
  known.update(json::parse(safekeeper_schemas()));
  for (const auto& option : config::tenant_fields())
    known["ChangeTenantConfig"]["properties"][std::string(option.name)] = schema_of(option);
  json components = json::object();
  collect_schemas(paths, known, components);
  const json description{
      {"openapi", "3.0.3"},
      {"info", {{"title", "Strata management API"}, {"version", version}}},
      {"paths", paths},
      {"components", {{"schemas", components}}},
  };
  return description.dump(1) + "\n";
}

}  // namespace strata::api
