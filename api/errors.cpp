#include "api/errors.hpp"

#include <nlohmann/json.hpp>

namespace strata::api {
namespace {

std::string_view next_step(core::errc code) {
  switch (code) {
    case core::errc::busy:
    case core::errc::would_block:
    case core::errc::unavailable:
      return "try again in a moment; GET /v1/status and GET /v1/tenant show the state of the server";
    case core::errc::timeout: return "try again later";
    case core::errc::disk_full: return "free space on the disk of the server's directory, then try again";
    case core::errc::not_found: return "GET /v1/tenant and GET /v1/tenant/{tenant_id}/timeline list what exists";
    case core::errc::invalid_argument: return "GET /openapi.json describes every request";
    case core::errc::conflict: return "choose another name or id, or delete the existing object";
    case core::errc::out_of_range: return "GET the timeline: readable_from_lsn to last_record_lsn can be read";
    case core::errc::unsupported: return "GET /openapi.json describes what is supported";
    case core::errc::permission_denied: return "give the user the missing permission, then try again";
    case core::errc::outcome_unknown: return "check whether the request took effect before you repeat it";
    case core::errc::corrupt: return "the message names the damaged place; other timelines are not affected";
    case core::errc::io_error: return "see the server's log";
  }
  return "see the server's log";
}

}  // namespace

int http_status(core::errc code) noexcept {
  switch (code) {
    case core::errc::busy:
    case core::errc::would_block:
    case core::errc::unavailable: return 503;
    case core::errc::timeout:
    case core::errc::outcome_unknown: return 504;
    case core::errc::disk_full: return 507;
    case core::errc::not_found: return 404;
    case core::errc::invalid_argument: return 400;
    case core::errc::conflict: return 409;
    case core::errc::out_of_range: return 422;
    case core::errc::unsupported: return 501;
    case core::errc::permission_denied: return 403;
    case core::errc::corrupt:
    case core::errc::io_error: return 500;
  }
  return 500;
}

reply error_reply(const core::error& e) {
  reply made = refusal(http_status(e.code), core::to_string(e.code), e.detail, std::string(next_step(e.code)));
  if (made.status == 503) made.headers.emplace_back("Retry-After", "1");
  return made;
}

reply refusal(int status, std::string_view code, const std::string& message, const std::string& next) {
  using nlohmann::json;
  // `msg` is what other clients of this API read.
  const json body{{"error", {{"code", code}, {"message", message}, {"next", next}}}, {"msg", message}};
  reply made;
  made.status = status;
  // What a client sent may be in the message, and need not be UTF-8.
  made.body = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  return made;
}

}  // namespace strata::api
