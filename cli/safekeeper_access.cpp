#include "cli/safekeeper_access.hpp"

#include <nlohmann/json.hpp>

#include "api/api_client.hpp"
#include "api/safekeeper_json.hpp"
#include "cli/safekeeper_addresses.hpp"
#include "cli/safekeeper_file.hpp"

namespace strata::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds patience{5};

core::result<api::api_client> client_of(const std::string& server_directory, consensus::node_id id) {
  const std::string directory = safekeeper_directory(server_directory, id.value);
  const auto file = read_safekeeper_file(directory);
  if (!file && file.error().code == core::errc::not_found)
    return core::error{core::errc::unavailable, "there is no safekeeper " + to_string(id) + " in " + server_directory};
  if (!file) return file.error();
  if (!safekeeper_process(server_directory, id.value))
    return core::error{core::errc::unavailable, "safekeeper " + to_string(id) + " does not run"};
  return api::api_client(file->http, patience);
}

}  // namespace

actors::pageserver::safekeeper_access access_to_safekeepers(const std::string& server_directory) {
  actors::pageserver::safekeeper_access made;
  made.instance = [=](consensus::node_id id) -> core::result<core::instance_id> {
    STRATA_ASSIGN(const auto client, client_of(server_directory, id));
    STRATA_ASSIGN(const json answer, client.get("/v1/status"));
    if (answer.value("id", std::uint64_t{0}) != id.value)
      return core::error{core::errc::unavailable, "another safekeeper answers at " + client.address()};
    return core::parse_id<core::instance_id>(answer.value("instance", ""));
  };
  made.make = [=](consensus::node_id id, const messages::timeline_safekeepers& of,
                  const core::instance_id& instance) -> core::result<void> {
    STRATA_ASSIGN(const auto client, client_of(server_directory, id));
    const auto answer = client.post("/v1/tenant/timeline", {{"tenant_id", core::to_string(of.tenant)},
                                                            {"timeline_id", core::to_string(of.timeline)},
                                                            {"mconf", api::configuration_json(of.members)},
                                                            {"instance", core::to_string(instance)},
                                                            {"pg_version", of.cluster.pg_version},
                                                            {"system_id", of.cluster.system_id},
                                                            {"wal_seg_size", of.cluster.wal_segment_size}});
    if (!answer) return answer.error();
    return {};
  };
  made.remove = [=](consensus::node_id id, const core::tenant_id& tenant,
                    const core::timeline_id& timeline) -> core::result<void> {
    STRATA_ASSIGN(const auto client, client_of(server_directory, id));
    const auto answer =
        client.remove("/v1/tenant/" + core::to_string(tenant) + "/timeline/" + core::to_string(timeline) +
                      "?everywhere=true");  // its record is gone: no safekeeper keeps it any more
    if (!answer && answer.error().code != core::errc::not_found) return answer.error();
    return {};
  };
  return made;
}

actors::pageserver::locate_member wal_of_safekeepers(const std::string& server_directory) {
  return [server_directory](const consensus::member& of) -> core::result<actors::pageserver::member_location> {
    STRATA_ASSIGN(const auto at, locate_safekeeper(server_directory, of));
    return actors::pageserver::member_location{at.host, at.port, at.expected};
  };
}

}  // namespace strata::cli
