#include "config/option_field.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include "config/quantity.hpp"
#include "config/suggest.hpp"

namespace strata::config {
namespace {

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;
constexpr std::uint64_t day_ms = 24ull * 60 * 60 * 1000;
constexpr std::uint64_t forever_ms = 1000 * 365 * day_ms;

using tenant_field = option_field<tenant_options>;
using server_field = option_field<server_options>;

constexpr std::array tenant_table{
    tenant_field{"checkpoint_distance", &tenant_options::checkpoint_distance_bytes, 64u << 10, 16 * 1024 * mib,
                 "WAL bytes, or bytes in memory, after which the open layer is written out"},
    tenant_field{"checkpoint_timeout", &tenant_options::checkpoint_timeout, 100, forever_ms,
                 "age of the oldest unwritten data after which the open layer is written out"},
    tenant_field{"compaction_threshold", &tenant_options::compaction_threshold, 1, 1000,
                 "level 0 layers that start a compaction"},
    tenant_field{"compaction_target_size", &tenant_options::compaction_target_bytes, mib, 16 * 1024 * mib,
                 "size at which compaction cuts its output layers"},
    tenant_field{"compaction_period", &tenant_options::compaction_period, 0, forever_ms,
                 "pause between compactions; 0 switches them off"},
    tenant_field{"image_creation_threshold", &tenant_options::image_creation_threshold, 1, 1000,
                 "delta layers over a key range that make compaction write image layers"},
    tenant_field{"gc_horizon", &tenant_options::gc_horizon_bytes, 0, 1024 * tib,
                 "history kept before the head, in WAL bytes; 0 keeps everything"},
    tenant_field{"gc_period", &tenant_options::gc_period, 0, forever_ms,
                 "pause between garbage collections; 0 switches them off"},
    tenant_field{"pitr_interval", &tenant_options::pitr_interval, 0, forever_ms,
                 "history kept before the head, in time"},
    tenant_field{"lsn_lease_length", &tenant_options::lsn_lease_length, 0, forever_ms,
                 "how long a lease keeps an LSN readable"},
};

constexpr std::array server_table{
    server_field{"listen_address", &server_options::listen_address, 0, 255, "address of all ports"},
    server_field{"http_port", &server_options::http_port, 0, 65535, "port of the HTTP API; 0 takes any free one"},
    server_field{"page_port", &server_options::page_port, 0, 65535, "port of the page service; 0 takes any free one"},
    server_field{"broker_port", &server_options::broker_port, 0, 65535,
                 "port of the broker, for safekeepers; 0 takes a free one, which is kept"},
    server_field{"safekeepers", &server_options::safekeepers, 0, 9,
                 "safekeeper processes started on this machine; never fewer than the directory has already"},
    server_field{"pg_bin", &server_options::pg_bin, 0, 4096,
                 "directories of the Postgres programs, one for each major version, separated by ':'"},
    server_field{"block_cache_size", &server_options::block_cache_bytes, mib, 1024 * tib,
                 "blocks of layer files kept in memory, over all tenants"},
    server_field{"open_layers_max", &server_options::open_layers_max, 16, 1u << 20,
                 "open layer files, over all tenants"},
    server_field{"wait_lsn_timeout", &server_options::wait_lsn_timeout, 1, forever_ms,
                 "how long a read waits for WAL that has not arrived"},
    server_field{"page_connections_max", &server_options::page_connections_max, 1, 1u << 20,
                 "connections of the page service"},
};

core::error refused(std::string_view name, const std::string& why) {
  return {core::errc::invalid_argument, std::string(name) + ": " + why};
}

core::result<std::uint64_t> whole_number(const option_value& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
  const std::string& text = std::get<std::string>(value);
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty())
    return core::error{core::errc::invalid_argument, "\"" + text + "\" is not an integer"};
  return number;
}

template <class Options, class Target>
core::result<void> assign(Options& options, const option_field<Options>& field, Target Options::*member,
                          const option_value& value) {
  if constexpr (std::is_same_v<Target, std::string>) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return refused(field.name, "must be a string");
    if (text->size() > field.most) return refused(field.name, "is too long");
    options.*member = *text;
    return {};
  } else {
    core::result<std::uint64_t> number = whole_number(value);
    const auto* text = std::get_if<std::string>(&value);
    std::string limits = std::to_string(field.least) + " to " + std::to_string(field.most);
    if constexpr (std::is_same_v<Target, std::chrono::milliseconds>) {
      limits = duration_text(std::chrono::milliseconds(field.least)) + " to " +
               duration_text(std::chrono::milliseconds(field.most));
      if (text != nullptr) {
        auto parsed = parse_duration(*text);
        number = parsed ? core::result<std::uint64_t>(static_cast<std::uint64_t>(parsed->count())) : parsed.error();
      }
    } else if constexpr (std::is_same_v<Target, std::uint64_t>) {
      limits = size_text(field.least) + " to " + size_text(field.most);
      if (text != nullptr) number = parse_size(*text);
    }
    if (!number) return std::move(number).error().within(field.name);
    if (*number < field.least || *number > field.most) return refused(field.name, "must be from " + limits);
    options.*member = static_cast<Target>(*number);
    return {};
  }
}

template <class Options>
core::result<void> set_any(Options& options, const option_field<Options>& field, const option_value& value) {
  return std::visit([&](auto member) { return assign(options, field, member, value); }, field.member);
}

template <class Options, std::size_t Count>
core::result<const option_field<Options>*> find_in(const std::array<option_field<Options>, Count>& table,
                                                   std::string_view name, std::span<const std::string_view> also = {}) {
  std::vector<std::string_view> names(also.begin(), also.end());
  for (const auto& field : table) {
    if (field.name == name) return &field;
    names.push_back(field.name);
  }
  return core::error{core::errc::invalid_argument,
                     "unknown option \"" + std::string(name.substr(0, 64)) + "\"" + did_you_mean(name, names)};
}

}  // namespace

std::span<const tenant_field> tenant_fields() { return tenant_table; }

core::result<void> set_field(tenant_options& options, const tenant_field& field, const option_value& value) {
  return set_any(options, field, value);
}
core::result<void> set_field(server_options& options, const server_field& field, const option_value& value) {
  return set_any(options, field, value);
}

option_value field_value(const tenant_options& options, const tenant_field& field) {
  return std::visit(
      [&](auto member) -> option_value {
        using target = std::remove_cvref_t<decltype(options.*member)>;
        if constexpr (std::is_same_v<target, std::chrono::milliseconds>)
          return duration_text(options.*member);
        else if constexpr (std::is_same_v<target, std::string>)
          return options.*member;
        else
          return static_cast<std::uint64_t>(options.*member);
      },
      field.member);
}

core::result<const tenant_field*> find_tenant_field(std::string_view name) { return find_in(tenant_table, name); }

core::result<const server_field*> find_server_field(std::string_view name) {
  static constexpr std::array<std::string_view, 1> sections{"tenant_config"};
  return find_in(server_table, name, sections);
}

}  // namespace strata::config
