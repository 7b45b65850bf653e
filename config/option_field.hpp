#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "config/options.hpp"
#include "core/result.hpp"

namespace strata::config {

/// What a file or a request gives for an option.
using option_value = std::variant<std::uint64_t, std::string>;

/// One option under the name that people and APIs use for it, with its limits (milliseconds, bytes or a count).
template <class Options>
struct option_field {
  using size_member = std::uint64_t Options::*;
  using count_member = std::uint32_t Options::*;
  using port_member = std::uint16_t Options::*;
  using duration_member = std::chrono::milliseconds Options::*;
  using text_member = std::string Options::*;

  std::string_view name;
  std::variant<size_member, count_member, port_member, duration_member, text_member> member;
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::string_view meaning;
};

std::span<const option_field<tenant_options>> tenant_fields();

/// Sets a field from text or a number. Durations and sizes may carry a unit. errc::invalid_argument names the field.
core::result<void> set_field(tenant_options& options, const option_field<tenant_options>& field,
                             const option_value& value);
core::result<void> set_field(server_options& options, const option_field<server_options>& field,
                             const option_value& value);

/// Durations as text ("10m"), all others as they are.
option_value field_value(const tenant_options& options, const option_field<tenant_options>& field);

/// The field of that name, or errc::invalid_argument with a suggestion.
core::result<const option_field<tenant_options>*> find_tenant_field(std::string_view name);
core::result<const option_field<server_options>*> find_server_field(std::string_view name);

}  // namespace strata::config
