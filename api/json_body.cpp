#include "api/json_body.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "config/json_file.hpp"
#include "config/suggest.hpp"
#include "config/time_text.hpp"

namespace strata::api {
namespace {

using nlohmann::json;

// Nobody sends one this deep; the parser itself is recursion free, what walks the result is not.
constexpr int depth_max = 16;
struct nested_too_deeply {};
/// That of DNS, and of the proposer protocol.
constexpr std::size_t host_size_max = 255;

core::error refused(std::string_view name, std::string_view why) {
  return {core::errc::invalid_argument, std::string(name) + " " + std::string(why)};
}

const json* member_of(const json& object, std::string_view name) {
  const auto found = object.find(std::string(name));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

core::result<json> parse_body(const request& from, std::initializer_list<std::string_view> members) {
  if (from.body.empty()) return json::object();
  json body;
  try {
    const json::parser_callback_t shallow = [](int depth, json::parse_event_t, json&) {
      if (depth > depth_max) throw nested_too_deeply{};
      return true;
    };
    body = json::parse(from.body, shallow);
  } catch (const json::parse_error& e) {
    return core::error{core::errc::invalid_argument,
                       "the body is not JSON (" + config::json_place(from.body, e.byte) + ")"};
  } catch (const json::exception&) {
    return core::error{core::errc::invalid_argument, "the body has a number that is too large"};
  } catch (const nested_too_deeply&) {
    return core::error{core::errc::invalid_argument, "the body is nested too deeply"};
  }
  // A client that has nothing to say may say so.
  if (body.is_null()) return json::object();
  if (!body.is_object()) return core::error{core::errc::invalid_argument, "the body must be a JSON object"};
  const std::vector<std::string_view> known(members);
  for (const auto& [name, value] : body.items()) {
    if (known.empty() || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return core::error{core::errc::invalid_argument,
                       "unknown member \"" + name.substr(0, 64) + "\"" + config::did_you_mean(name, known)};
  }
  return body;
}

core::result<std::optional<std::string>> optional_text_member(const json& object, std::string_view name) {
  const json* member = member_of(object, name);
  if (member == nullptr) return std::optional<std::string>();
  if (!member->is_string()) return refused(name, "must be a string");
  return std::optional(member->get<std::string>());
}

core::result<std::string> text_member(const json& object, std::string_view name) {
  STRATA_ASSIGN(auto text, optional_text_member(object, name));
  if (!text || text->empty()) return refused(name, "is missing");
  return *std::move(text);
}

core::result<std::string> host_member(const json& object, std::string_view name) {
  STRATA_ASSIGN(auto host, text_member(object, name));
  const bool plain = std::ranges::all_of(host, [](char c) { return c > ' ' && c <= '~'; });
  if (host.size() > host_size_max || !plain) return refused(name, "is not a host name or an address");
  return host;
}

core::result<std::optional<std::uint64_t>> optional_count_member(const json& object, std::string_view name) {
  const json* member = member_of(object, name);
  if (member == nullptr) return std::optional<std::uint64_t>();
  if (!member->is_number_unsigned()) return refused(name, "must be a non-negative integer");
  return std::optional(member->get<std::uint64_t>());
}

core::result<std::optional<bool>> optional_flag_member(const json& object, std::string_view name) {
  const json* member = member_of(object, name);
  if (member == nullptr) return std::optional<bool>();
  if (!member->is_boolean()) return refused(name, "must be true or false");
  return std::optional(member->get<bool>());
}

core::result<std::optional<core::wall_time>> optional_time_member(const json& object, std::string_view name) {
  STRATA_ASSIGN(const auto text, optional_text_member(object, name));
  if (!text) return std::optional<core::wall_time>();
  auto time = config::parse_iso_time(*text, config::default_zone::utc);
  if (!time) return std::move(time).error().within(name);
  return std::optional(*time);
}

core::result<std::optional<bool>> optional_wal_level_member(const json& object, std::string_view name) {
  STRATA_ASSIGN(const auto text, optional_text_member(object, name));
  if (!text) return std::optional<bool>();
  if (*text != "replica" && *text != "logical") return refused(name, "must be replica or logical");
  return std::optional(*text == "logical");
}

core::result<std::optional<core::lsn>> optional_lsn_member(const json& object, std::string_view name) {
  STRATA_ASSIGN(const auto text, optional_text_member(object, name));
  if (!text) return std::optional<core::lsn>();
  STRATA_ASSIGN(const core::lsn at, parse_position(name, *text));
  return std::optional(at);
}

core::result<core::tenant_id> parse_tenant_id(std::string_view text) {
  auto id = core::parse_id<core::tenant_id>(text);
  if (!id) return std::move(id).error().within("tenant_id");
  return id;
}

core::result<core::timeline_id> parse_timeline_id(std::string_view text) {
  auto id = core::parse_id<core::timeline_id>(text);
  if (!id) return std::move(id).error().within("timeline_id");
  return id;
}

core::result<core::lsn> parse_position(std::string_view name, std::string_view text) {
  auto at = core::parse_lsn(text.substr(0, 64));
  if (!at) return std::move(at).error().within(name);
  if (!at->valid()) return refused(name, "must not be 0/0");
  return at;
}

core::result<core::tenant_id> tenant_of(const request& from) { return parse_tenant_id(from.parameter("tenant_id")); }

core::result<timeline_path> timeline_of(const request& from) {
  STRATA_ASSIGN(const auto tenant, tenant_of(from));
  STRATA_ASSIGN(const auto timeline, parse_timeline_id(from.parameter("timeline_id")));
  return timeline_path{tenant, timeline};
}

reply json_reply(const json& body, int status) {
  reply made;
  made.status = status;
  made.body = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  return made;
}

}  // namespace strata::api
