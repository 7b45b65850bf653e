#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "api/errors.hpp"
#include "api/json_body.hpp"
#include "api/route.hpp"
#include "config/branch_spec.hpp"
#include "config/option_field.hpp"

namespace strata::api {
namespace {

using nlohmann::json;

json description(route_table of = routes()) { return json::parse(openapi(of, "1.2.3")); }

/// Every "$ref" anywhere in a document.
void collect_references(const json& in, std::set<std::string>& to) {
  if (in.is_object() && in.contains("$ref")) to.insert(in["$ref"].get<std::string>());
  if (in.is_structured())
    for (const json& each : in) collect_references(each, to);
}

/// Every schema anywhere in a document that allows null.
void collect_nullable(const json& in, std::vector<json>& to) {
  if (in.is_object() && in.contains("nullable")) to.push_back(in);
  if (in.is_structured())
    for (const json& each : in) collect_nullable(each, to);
}

BOOST_AUTO_TEST_SUITE(api_route_table)

/// By its number, which Boost can print.
const std::vector<route_table> all_tables{routes(), safekeeper_routes(), compute_routes()};
const auto tables = boost::unit_test::data::xrange(all_tables.size());

BOOST_DATA_TEST_CASE(every_route_has_a_handler_and_its_own_operation, tables, number) {
  const route_table table = all_tables[number];
  std::set<std::string_view> operations;
  std::set<std::pair<std::string_view, std::string_view>> paths;
  for (const route& each : table) {
    BOOST_TEST(each.handler != nullptr, each.path);
    BOOST_TEST(!each.summary.empty(), each.path);
    BOOST_TEST(!each.response_schema.empty(), each.path);
    BOOST_TEST(operations.insert(each.operation).second, each.operation);
    BOOST_TEST(paths.insert({each.method, each.path}).second, each.path);
  }
}

BOOST_DATA_TEST_CASE(every_route_leads_to_itself, tables, number) {
  const route_table table = all_tables[number];
  for (const route& each : table) {
    std::string path(each.path);
    for (const auto& name : path_parameter_names(each.path))
      path.replace(path.find("{" + name + "}"), name.size() + 2, "0123456789abcdef0123456789abcdef");
    const auto match = match_route(table, each.method, path);
    BOOST_TEST_REQUIRE((match.found != nullptr), path);
    BOOST_TEST(match.found->operation == each.operation);
    BOOST_TEST(match.parameters.size() == path_parameter_names(each.path).size());
  }
}

BOOST_AUTO_TEST_CASE(a_path_written_out_wins_over_one_with_a_parameter) {
  BOOST_TEST(match_route(routes(), "PUT", "/v1/tenant/config").found->operation == "replace_tenant_config");
  const auto get = match_route(routes(), "GET", "/v1/tenant/config");
  BOOST_TEST((get.found == nullptr));
  BOOST_TEST(get.allowed.size() == 2u);
  BOOST_TEST(match_route(routes(), "GET", "/v1/tenant/abc").parameters.at("tenant_id") == "abc");
}

BOOST_AUTO_TEST_CASE(what_is_no_path_leads_nowhere) {
  for (const char* path :
       {"", "/", "v1/status", "/v1", "/v1/status/", "//v1/status", "/v1/tenant/", "/v1/tenant/a/b/c/d"}) {
    const auto match = match_route(routes(), "GET", path);
    if (match.found != nullptr) BOOST_TEST(std::string(path) == "/v1/tenant/");
  }
  BOOST_TEST(match_route(routes(), "POST", "/v1/status").allowed.size() == 1u);
}

BOOST_DATA_TEST_CASE(the_description_names_every_route_and_only_schemas_there_are, tables, number) {
  const route_table table = all_tables[number];
  const json whole = description(table);
  BOOST_TEST(whole["info"]["version"] == "1.2.3");
  for (const route& each : table) {
    std::string method(each.method);
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    BOOST_TEST_REQUIRE(whole["paths"].contains(std::string(each.path)), each.path);
    const json& operation = whole["paths"][std::string(each.path)][method];
    BOOST_TEST(operation["operationId"] == std::string(each.operation));
    BOOST_TEST(operation["responses"].contains(std::to_string(each.success)));
    BOOST_TEST(operation["responses"].contains("default"));
    BOOST_TEST(operation["responses"].contains("412") == !each.state_schema.empty());
    BOOST_TEST(operation.contains("requestBody") == !each.request_schema.empty());
    std::size_t in_path = 0;
    for (const json& parameter : operation["parameters"]) in_path += parameter["in"] == "path" ? 1 : 0;
    BOOST_TEST(in_path == path_parameter_names(each.path).size());
  }
  std::set<std::string> references;
  collect_references(whole, references);
  BOOST_TEST(references.size() > 10u);
  for (const std::string& each : references) BOOST_TEST(whole.contains(json::json_pointer(each.substr(1))), each);
}

// OpenAPI 3.0.3: `nullable` has a meaning only if `type` is in the same schema.
BOOST_DATA_TEST_CASE(a_schema_that_allows_null_has_a_type, tables, number) {
  std::vector<json> found;
  collect_nullable(description(all_tables[number]), found);
  BOOST_TEST(!found.empty());
  for (const json& each : found) BOOST_TEST((each.contains("type") && !each.contains("allOf")), each.dump());
}

BOOST_AUTO_TEST_CASE(new_members_are_members_or_null) {
  const json schemas = description()["components"]["schemas"];
  for (const char* name : {"SafekeeperSet", "ChangeSafekeepers"}) {
    const json& of = schemas[name]["properties"]["new_members"];
    BOOST_TEST(of["type"] == "array", name);
    BOOST_TEST(of["nullable"] == true, name);
    BOOST_TEST(of["items"]["$ref"] == "#/components/schemas/Safekeeper", name);
    for (const char* limit : {"minItems", "maxItems"}) BOOST_TEST(of[limit] == schemas["SafekeeperList"][limit], limit);
  }
}

BOOST_DATA_TEST_CASE(every_schema_is_used_and_its_required_members_are_described, tables, number) {
  const route_table table = all_tables[number];
  const json whole = description(table);
  std::set<std::string> references;
  collect_references(whole, references);
  for (const auto& [name, schema] : whole["components"]["schemas"].items()) {
    BOOST_TEST(references.contains("#/components/schemas/" + name), name);
    if (!schema.contains("required")) continue;
    for (const json& member : schema["required"])
      BOOST_TEST(schema["properties"].contains(member.get<std::string>()), name << "." << member);
  }
}

/// The schema of a member of a request, references resolved.
json resolved(const json& whole, json schema) {
  while (schema.contains("$ref") || schema.contains("allOf"))
    schema = whole.at(json::json_pointer(
        (schema.contains("$ref") ? schema : schema["allOf"][0])["$ref"].get<std::string>().substr(1)));
  return schema;
}
bool fits(const json& schema, const std::string& text) {
  return std::regex_match(text, std::regex(schema.at("pattern").get<std::string>()));
}

BOOST_AUTO_TEST_CASE(names_that_the_description_allows_are_those_that_are_taken) {
  const json whole = description();
  const json& schemas_of = whole["components"]["schemas"];
  const std::string longest(63, 'a');
  for (const auto& member :
       {schemas_of["AddSource"]["properties"]["name"], schemas_of["CreateTimeline"]["properties"]["name"]})
    for (const std::string& name :
         {std::string("dev"), std::string("9"), std::string("a.b-c_d"), longest, longest + "a", std::string(),
          std::string("-a"), std::string("_a"), std::string("a b"), std::string("a/b"), std::string("a\n"),
          std::string("\xc3\xa4")})
      BOOST_TEST(fits(resolved(whole, member), name) == config::check_name("branch", name).has_value(), name);
}

BOOST_AUTO_TEST_CASE(positions_that_the_description_allows_are_those_that_are_taken) {
  const json whole = description();
  const json position = resolved(whole, whole["components"]["schemas"]["LeaseLsn"]["properties"]["lsn"]);
  for (const char* text : {"0/0", "00000000/0", "0/1", "1/0", "FFFFFFFF/ffffffff", "0/3B21F08", "0/", "/0", "0", "",
                           "0/0/0", "123456789/0", "0/G", " 0/1", "0/10", "10/0"})
    BOOST_TEST(fits(position, text) == parse_position("lsn", text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(every_query_parameter_and_every_text_of_a_request_states_its_form) {
  for (const route_table table : all_tables) {
    const json whole = description(table);
    for (const route& each : table) {
      std::string method(each.method);
      for (char& c : method) c = static_cast<char>(std::tolower(c));
      const json& operation = whole["paths"][std::string(each.path)][method];
      std::vector<std::pair<std::string, json>> members;
      for (const json& parameter : operation["parameters"])
        members.emplace_back(parameter["name"].get<std::string>(), parameter["schema"]);
      if (!each.request_schema.empty())
        for (const auto& [name, member] :
             whole["components"]["schemas"][std::string(each.request_schema)]["properties"].items())
          members.emplace_back(name, member);
      for (const auto& [name, member] : members) {
        const json schema = resolved(whole, member);
        if (schema.value("type", "") != "string") continue;
        const bool states = schema.contains("pattern") || schema.contains("format") || schema.contains("minLength") ||
                            schema.contains("enum");
        BOOST_TEST(states, each.path << ": " << name);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(options_of_a_tenant_are_described_with_their_limits) {
  const json whole = description();
  const json& options = whole["components"]["schemas"]["ChangeTenantConfig"]["properties"];
  for (const auto& field : config::tenant_fields()) {
    const json& schema = options.at(std::string(field.name));
    BOOST_TEST(schema["oneOf"][0]["minimum"] == field.least, field.name);
    BOOST_TEST(schema["oneOf"][0]["maximum"] == field.most, field.name);
    config::tenant_options changed;
    for (const char* text :
         {"1 h", "90s", "2 days", "1h30m", "64 MiB", "1g", "7", "128 kB", "", "x", "-1", "1 parsec"}) {
      // What is not allowed may be taken, within limits; what is allowed is never refused for its form.
      if (!fits(schema["oneOf"][1], text)) continue;
      const auto set = config::set_field(changed, field, std::string(text));
      BOOST_TEST((set || set.error().detail.find("must be from") != std::string::npos), field.name << " = " << text);
    }
    BOOST_TEST(!fits(schema["oneOf"][1], "x"));
  }
}

BOOST_AUTO_TEST_CASE(every_error_has_a_status_of_its_kind_and_says_what_to_do) {
  using core::errc;
  for (int code = 0; code <= static_cast<int>(errc::io_error); ++code) {
    const auto each = static_cast<errc>(code);
    const int status = http_status(each);
    const bool callers_fault = core::advice_for(each) == core::advice::give_up && each != errc::unsupported;
    BOOST_TEST(status >= 400);
    BOOST_TEST((status < 500) == (callers_fault || each == errc::not_found), core::to_string(each));
    const reply made = error_reply({each, "the detail"});
    const json body = json::parse(made.body);
    BOOST_TEST(made.status == status);
    BOOST_TEST(body["error"]["code"] == std::string(core::to_string(each)));
    BOOST_TEST(body["error"]["message"] == "the detail");
    BOOST_TEST(body["msg"] == "the detail");
    BOOST_TEST(!body["error"]["next"].get<std::string>().empty());
  }
}

BOOST_AUTO_TEST_CASE(an_error_that_quotes_garbage_is_still_json) {
  const reply made = error_reply({core::errc::invalid_argument, "not a name: \xff\xfe\x01"});
  BOOST_TEST(json::accept(made.body));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::api
