#include "api/donor_client.hpp"

#include <nlohmann/json.hpp>

#include "api/api_client.hpp"
#include "api/json_body.hpp"
#include "api/safekeeper_json.hpp"

namespace strata::api {

using nlohmann::json;

namespace {

/// A donor may have to open the timeline first. The thread that waits is one of four that also make WAL durable.
constexpr std::chrono::seconds patience{15};

}  // namespace

core::result<messages::wal_donor> ask_donor(const std::string& host, const core::timeline_key& of) {
  const api_client peer(host, patience, "the other safekeeper");
  STRATA_ASSIGN(const json timeline,
                peer.get("/v1/tenant/" + core::to_string(of.tenant) + "/timeline/" + core::to_string(of.timeline)));
  STRATA_ASSIGN(auto donor, parse_donor(timeline));
  STRATA_ASSIGN(const json status, peer.get("/v1/status"));
  if (!status.is_object()) return core::error{core::errc::corrupt, "the other safekeeper's status is not an object"};
  STRATA_ASSIGN(donor.wal_address, text_member(status, "wal_address"));
  return donor;
}

}  // namespace strata::api
