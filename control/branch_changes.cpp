#include "control/branch_changes.hpp"

#include "control/branch_writers.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"

namespace strata::control {

created_branch create_branch(const scope& of, const std::string& name, const std::string& from) {
  need(config::check_name("branch", name), "can't create a branch", "strata branch create --help");
  const auto spec = parse_spec(from);
  const server_link server(of);
  branch_entry parent = find_branch(server, of, spec);
  resolved_point point = resolve(server, parent, spec.at);
  const std::string at = core::to_string(point.at);
  const auto begun = std::chrono::steady_clock::now();
  auto made = server.api().post("/v1/tenant/" + parent.source.id + "/timeline",
                                {{"name", name}, {"ancestor_timeline_id", parent.id}, {"ancestor_start_lsn", at}});
  if (!made) {
    const bool taken = made.error().code == core::errc::conflict;
    throw failure(made.error(), "can't create " + name + " from " + parent.name + "@" + at,
                  taken ? "strata branch list; choose another name" : "strata branch show " + parent.spec());
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  return {std::move(parent), point, *std::move(made), took};
}

deleted_branch delete_branch(const scope& of, const std::string& name, bool force) {
  const auto spec = parse_branch_name(name);
  const server_link server(of);
  branch_entry branch = find_branch(server, of, spec);
  if (branch.name != spec.branch && branch.id != spec.branch)
    throw failure(core::errc::not_found, "there is no branch \"" + spec.branch + "\"",
                  "delete requires the full name; the closest match is " + branch.name, "strata branch list");
  const std::string doing = "can't delete " + branch.name;
  const auto computes = computes_of(of, branch.source.id, branch.id);
  require_no_computes(computes, of, doing, force);
  require_no_damaged_writers(of, branch.source.id, branch.id, doing, force);
  need(server.api().remove(branch.path()), doing, "strata branch tree");
  remove_computes(of, computes);
  return {std::move(branch), computes.size()};
}

}  // namespace strata::control
