#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/http.hpp"
#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::api {

/// The body as a JSON object; an absent one is {}. Unless `members` is empty, others are refused with a suggestion.
core::result<nlohmann::json> parse_body(const request& from, std::initializer_list<std::string_view> members = {});

/// A member that must be there, or may be missing or null; errors name it.
core::result<std::string> text_member(const nlohmann::json& object, std::string_view name);
core::result<std::optional<std::string>> optional_text_member(const nlohmann::json& object, std::string_view name);
/// The name or address of a machine: 1 to 255 printable characters without blanks, as the protocols take it.
core::result<std::string> host_member(const nlohmann::json& object, std::string_view name);
core::result<std::optional<std::uint64_t>> optional_count_member(const nlohmann::json& object, std::string_view name);
core::result<std::optional<bool>> optional_flag_member(const nlohmann::json& object, std::string_view name);
/// ISO 8601; UTC if it has no zone.
core::result<std::optional<core::wall_time>> optional_time_member(const nlohmann::json& object, std::string_view name);
/// "replica" or "logical": whether it is the latter.
core::result<std::optional<bool>> optional_wal_level_member(const nlohmann::json& object, std::string_view name);
core::result<std::optional<core::lsn>> optional_lsn_member(const nlohmann::json& object, std::string_view name);

/// An id from a member's text or a path, named in the error.
core::result<core::tenant_id> parse_tenant_id(std::string_view text);
core::result<core::timeline_id> parse_timeline_id(std::string_view text);
/// Also refuses 0/0.
core::result<core::lsn> parse_position(std::string_view name, std::string_view text);

/// What a path of a timeline names.
struct timeline_path {
  core::tenant_id tenant;
  core::timeline_id timeline;
};
core::result<timeline_path> timeline_of(const request& from);
core::result<core::tenant_id> tenant_of(const request& from);

/// A JSON reply.
reply json_reply(const nlohmann::json& body, int status = 200);

}  // namespace strata::api
