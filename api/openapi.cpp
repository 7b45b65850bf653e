#include <nlohmann/json.hpp>

#include "api/route.hpp"
#include "config/option_field.hpp"

namespace strata::api {
namespace {

using ordered_json = nlohmann::ordered_json;

ordered_json reference(std::string_view schema) { return {{"$ref", "#/components/schemas/" + std::string(schema)}}; }

ordered_json content_of(std::string_view schema) {
  if (schema.find('/') == std::string_view::npos) return {{"application/json", {{"schema", reference(schema)}}}};
  const bool text = schema.starts_with("text/");
  return {
      {std::string(schema),
       {{"schema", text ? ordered_json{{"type", "string"}} : ordered_json{{"type", "string"}, {"format", "binary"}}}}}};
}

ordered_json parameters_of(const route& of) {
  ordered_json parameters = ordered_json::array();
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

ordered_json operation_of(const route& of) {
  ordered_json operation{{"operationId", of.operation}, {"summary", of.summary}, {"parameters", parameters_of(of)}};
  if (!of.request_schema.empty())
    operation["requestBody"] = {{"required", true}, {"content", content_of(of.request_schema)}};
  operation["responses"] = {
      {std::to_string(of.success), {{"description", "done"}, {"content", content_of(of.response_schema)}}},
      {"default", {{"description", "refused or failed"}, {"content", content_of("Error")}}}};
  if (!of.state_schema.empty())
    operation["responses"]["412"] = {{"description", "the state does not allow it; nothing was done"},
                                     {"content", content_of(of.state_schema)}};
  return operation;
}

/// Moves what `in` refers to from `known` to `used`, and what that refers to.
void collect_schemas(const ordered_json& in, ordered_json& known, ordered_json& used) {
  constexpr std::string_view prefix = "#/components/schemas/";
  if (in.is_object() && in.contains("$ref")) {
    const std::string name = in["$ref"].get<std::string>().substr(prefix.size());
    const auto found = known.find(name);
    if (found == known.end()) return;
    const ordered_json schema = std::move(*found);
    known.erase(found);
    used[name] = schema;
    collect_schemas(schema, known, used);
  }
  if (in.is_structured())
    for (const ordered_json& each : in) collect_schemas(each, known, used);
}

/// What an option of a tenant may be set to: a number within its limits, or a text with a unit.
ordered_json schema_of(const config::option_field<config::tenant_options>& option) {
  using field = config::option_field<config::tenant_options>;
  // null resets the option. `nullable` has a meaning only beside a type, and null must match one alternative only.
  ordered_json number{{"type", "integer"}, {"nullable", true}, {"minimum", option.least}, {"maximum", option.most}};
  std::string pattern = "^[0-9]{1,10}$";
  if (std::holds_alternative<field::duration_member>(option.member))
    pattern = "^ *([0-9]{1,9} *(ms|s|sec|m|min|h|hour|hours|d|day|days|w|week|weeks) *)+$";
  if (std::holds_alternative<field::size_member>(option.member))
    pattern = "^ *[0-9]{1,15} *([kKMGT]i?[bB]|[bBkKMGT])? *$";
  return {{"description", option.meaning}, {"oneOf", {std::move(number), {{"type", "string"}, {"pattern", pattern}}}}};
}

}  // namespace

std::string openapi(route_table of, std::string_view version, std::string_view title) {
  ordered_json paths = ordered_json::object();
  for (const route& each : of) {
    std::string method(each.method);
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    paths[std::string(each.path)][method] = operation_of(each);
  }
  ordered_json known = ordered_json::parse(schemas());
  known.update(ordered_json::parse(safekeeper_schemas()));
  known.update(ordered_json::parse(compute_schemas()));
  for (const auto& option : config::tenant_fields())
    known["ChangeTenantConfig"]["properties"][std::string(option.name)] = schema_of(option);
  ordered_json components = ordered_json::object();
  collect_schemas(paths, known, components);
  const ordered_json description{
      {"openapi", "3.0.3"},
      {"info", {{"title", title}, {"version", version}}},
      {"paths", paths},
      {"components", {{"schemas", components}}},
  };
  return description.dump(1) + "\n";
}

}  // namespace strata::api
