#include "config/config_file.hpp"

#include <toml++/toml.h>

#include <filesystem>
#include <sstream>

#include "config/option_field.hpp"

namespace strata::config {
namespace {

core::error at_line(const std::string& path, const toml::node& node, const core::error& e) {
  return {e.code, path + ":" + std::to_string(node.source().begin.line) + ": " + e.detail};
}

core::result<option_value> value_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return option_value(text->get());
  if (const auto* number = node.as_integer(); number != nullptr && number->get() >= 0)
    return option_value(static_cast<std::uint64_t>(number->get()));
  return core::error{core::errc::invalid_argument, "must be a string or a non-negative integer"};
}

/// Each member of a table that holds values only; Find maps its name to a field.
template <class Options, class Find>
core::result<void> read_member(Options& options, std::string_view name, const toml::node& node, Find find) {
  STRATA_ASSIGN(const auto* field, find(name));
  auto value = value_of(node);
  if (!value) return std::move(value).error().within(name);
  return set_field(options, *field, *value);
}

}  // namespace

core::result<server_options> load_config_file(const std::string& path, server_options base) {
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) return base;
  toml::table root;
  try {
    root = toml::parse_file(path);
  } catch (const toml::parse_error& e) {
    return core::error{core::errc::invalid_argument,
                       path + ":" + std::to_string(e.source().begin.line) + ": " + std::string(e.description())};
  }
  for (const auto& [key, node] : root) {
    const std::string_view name = key.str();
    if (name != "tenant_config") {
      if (auto done = read_member(base, name, node, find_server_field); !done) return at_line(path, node, done.error());
      continue;
    }
    const auto* section = node.as_table();
    if (section == nullptr)
      return at_line(path, node, {core::errc::invalid_argument, "tenant_config must be a section: [tenant_config]"});
    for (const auto& [member, value] : *section)
      if (auto done = read_member(base.tenant_defaults, member.str(), value, find_tenant_field); !done)
        return at_line(path, value, done.error());
  }
  return base;
}

}  // namespace strata::config
