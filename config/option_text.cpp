#include "config/option_text.hpp"

#include <nlohmann/json.hpp>

#include "config/option_field.hpp"

namespace strata::config {
namespace {

using nlohmann::json;

core::result<option_value> value_of(const std::string& name, const json& value) {
  if (value.is_string()) return option_value(value.get<std::string>());
  if (value.is_number_unsigned()) return option_value(value.get<std::uint64_t>());
  return core::error{core::errc::invalid_argument, name + ": must be a string or a non-negative integer"};
}

void put(json& to, const tenant_options& options, const option_field<tenant_options>& field) {
  std::visit([&](const auto& value) { to[std::string(field.name)] = value; }, field_value(options, field));
}

}  // namespace

core::result<tenant_options> apply_overrides(tenant_options base, std::string_view text,
                                             const tenant_options& defaults) {
  if (text.empty()) return base;
  const json given = json::parse(text, nullptr, false);
  if (!given.is_object())
    return core::error{core::errc::invalid_argument, "tenant options must be a JSON object of names and values"};
  for (const auto& [name, value] : given.items()) {
    STRATA_ASSIGN(const auto* field, find_tenant_field(name));
    if (value.is_null()) {
      STRATA_TRY(set_field(base, *field, field_value(defaults, *field)));
      continue;
    }
    STRATA_ASSIGN(const option_value wanted, value_of(name, value));
    STRATA_TRY(set_field(base, *field, wanted));
  }
  return base;
}

std::string overrides_of(const tenant_options& value, const tenant_options& base) {
  json overrides = json::object();
  for (const auto& field : tenant_fields())
    if (field_value(value, field) != field_value(base, field)) put(overrides, value, field);
  return overrides.dump();
}

std::string options_text(const tenant_options& value) {
  json all = json::object();
  for (const auto& field : tenant_fields()) put(all, value, field);
  return all.dump();
}

}  // namespace strata::config
