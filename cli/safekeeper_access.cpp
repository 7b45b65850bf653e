#include "cli/safekeeper_access.hpp"

#include "control/safekeeper_addresses.hpp"
#include "control/safekeeper_requests.hpp"

namespace strata::cli {

actors::pageserver::safekeeper_access access_to_safekeepers(const std::string& server_directory) {
  actors::pageserver::safekeeper_access made;
  made.instance = [=](consensus::node_id id) { return control::instance_of_safekeeper(server_directory, id); };
  made.create = [=](consensus::node_id id, const messages::timeline_safekeepers& of,
                    const core::instance_id& instance) {
    return control::create_on_safekeeper(server_directory, id, of, instance);
  };
  made.remove = [=](consensus::node_id id, const core::tenant_id& tenant, const core::timeline_id& timeline) {
    return control::delete_on_safekeeper(server_directory, id, tenant, timeline);
  };
  return made;
}

actors::pageserver::locate_member wal_of_safekeepers(const std::string& server_directory) {
  return [server_directory](const consensus::member& of) -> core::result<actors::pageserver::member_location> {
    STRATA_ASSIGN(const auto at, control::locate_safekeeper(server_directory, of));
    return actors::pageserver::member_location{at.host, at.port, at.expected};
  };
}

}  // namespace strata::cli
