#include "control/safekeeper_requests.hpp"

#include <nlohmann/json.hpp>

#include "api/api_client.hpp"
#include "api/safekeeper_json.hpp"
#include "control/safekeeper_file.hpp"

namespace strata::control {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds request_limit{5};

core::result<api::api_client> client_of(const std::string& server_directory, consensus::node_id id) {
  const std::string directory = safekeeper_directory(server_directory, id.value);
  const auto file = read_safekeeper_file(directory);
  if (!file && file.error().code == core::errc::not_found)
    return core::error{core::errc::unavailable, "there is no safekeeper " + to_string(id) + " in " + server_directory};
  if (!file) return file.error();
  if (!safekeeper_process(server_directory, id.value))
    return core::error{core::errc::unavailable, "safekeeper " + to_string(id) + " is not running"};
  return api::api_client(file->http, request_limit, "safekeeper " + to_string(id));
}

}  // namespace

core::result<core::instance_id> instance_of_safekeeper(const std::string& server_directory, consensus::node_id id) {
  STRATA_ASSIGN(const auto client, client_of(server_directory, id));
  STRATA_ASSIGN(const json answer, client.get("/v1/status"));
  if (answer.value("id", std::uint64_t{0}) != id.value)
    return core::error{core::errc::unavailable, "another safekeeper answers at " + client.address()};
  return core::parse_id<core::instance_id>(answer.value("instance", ""));
}

core::result<void> create_on_safekeeper(const std::string& server_directory, consensus::node_id id,
                                        const messages::timeline_safekeepers& of, const core::instance_id& instance) {
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
}

core::result<void> delete_on_safekeeper(const std::string& server_directory, consensus::node_id id,
                                        const core::tenant_id& tenant, const core::timeline_id& timeline) {
  STRATA_ASSIGN(const auto client, client_of(server_directory, id));
  const auto answer = client.remove("/v1/tenant/" + core::to_string(tenant) + "/timeline/" + core::to_string(timeline) +
                                    "?everywhere=true");
  if (!answer && answer.error().code != core::errc::not_found) return answer.error();
  return {};
}

}  // namespace strata::control
