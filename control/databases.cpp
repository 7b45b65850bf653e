#include "control/databases.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "config/quantity.hpp"
#include "control/cluster.hpp"
#include "control/failure.hpp"
#include "host/postgres_install.hpp"

namespace strata::control {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds look_interval{200};
constexpr std::chrono::hours import_limit{48};
constexpr int newest_major = 18;
constexpr int oldest_major = 14;

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct install {
  int major = 0;
  std::string bin_directory;
};

install find_install(const scope& of, const server_link& server, int major) {
  const host::install_search where{of.pg_bin.empty() ? server.file().pg_bin : of.pg_bin,
                                   environment_variable("STRATA_PG_BIN"), environment_variable("PATH")};
  constexpr const char* doing = "can't create an empty database";
  if (major != 0) {
    if (major < oldest_major || major > newest_major)
      throw failure(core::errc::unsupported, doing, "Postgres " + std::to_string(major) + " is not supported",
                    "use --pg 14, 15, 16, 17 or 18");
    return {major,
            need(host::find_postgres(major, where), doing, "sudo apt install postgresql-" + std::to_string(major))};
  }
  for (int each = newest_major; each >= oldest_major; --each)
    if (auto found = host::find_postgres(each, where)) return {each, *std::move(found)};
  throw failure(core::errc::not_found, doing, "no Postgres 14 to 18 is installed", "sudo apt install postgresql");
}

void require_safekeepers(const server_link& server, const std::string& doing) {
  if (server.file().broker.empty())
    throw failure(core::errc::unavailable, doing, "its WAL is stored by safekeepers, and this server has none",
                  "strata down; strata up --detach --safekeepers 3");
}

void require_new_name(const server_link& server, const std::string& name, const std::string& doing) {
  need(config::check_name("database", name), doing, "strata create --help");
  for (const auto& each : list_sources(server))
    if (each.name == name)
      throw failure(core::errc::conflict, doing, "the name \"" + name + "\" is taken",
                    "choose another name; strata status");
}

/// The request goes on for as long as the data take; what was read so far is shown meanwhile.
core::result<json> post_tenant(const server_link& server, const json& body) {
  const api::api_client patient(server.file().http, std::chrono::duration_cast<std::chrono::seconds>(import_limit));
  auto answer = std::async(std::launch::async, [&] { return patient.post("/v1/tenant", body); });
  const std::string name = body.value("name", "");
  progress line(server.report());
  while (answer.wait_for(look_interval) != std::future_status::ready) {
    const auto all = server.api().get("/v1/tenant");
    if (!all) continue;
    for (const json& each : *all)
      if (each.value("name", "") == name)
        line.show("importing", config::size_text(each.value("current_physical_size", std::uint64_t{0})));
  }
  line.end();
  return answer.get();
}

/// What was created is durable without its safekeepers; to be written it needs a majority of them.
void warn_without_majority(const scope& of, const source_entry& made) {
  const auto seen = look_at_cluster(of);
  for (const auto& each : seen.quorums)
    if (core::to_string(each.of.tenant) == made.id && each.health.can_lose < 0)
      of.report->warn(made.spec_of("main") + " can't be written now: " + each.health.text +
                      ". Its first compute waits until a majority of its safekeepers runs: strata safekeeper list");
}

new_database import_from(const scope& of, const server_link& server, const json& body, const std::string& doing) {
  const std::string name = body.value("name", "");
  const auto made = post_tenant(server, body);
  if (!made) {
    const bool is_unknown = made.error().code == core::errc::outcome_unknown;
    throw failure(made.error(), doing,
                  is_unknown
                      ? "strata status; an import that was interrupted is removed by the next start of the server"
                      : "nothing was stored; repair the cause and repeat the command");
  }
  const std::string path = "/v1/tenant/" + made->value("tenant_id", "") + "/timeline/" + made->value("timeline_id", "");
  need(server.api().post(path + "/safekeepers", json::object()), "can't assign safekeepers to " + name + "/main",
       "strata compute start " + name + "/main");
  new_database done{find_source(server, made->value("tenant_id", "")), made->value("pg_version", 0),
                    made->value("bytes", std::uint64_t{0})};
  warn_without_majority(of, done.source);
  return done;
}

}  // namespace

new_database create_database(const scope& of, const std::string& name, cluster_request request) {
  const server_link server(of);
  const std::string doing = "can't create " + name;
  require_new_name(server, name, doing);
  require_safekeepers(server, doing);
  const install found = find_install(of, server, request.major);
  request.major = found.major;
  const auto empty = prepare_cluster_template(of, found.bin_directory, request);
  const std::string path = std::filesystem::absolute(empty.data_directory).lexically_normal();
  return import_from(of, server, {{"name", name}, {"path", path}, {"system_id", "new"}}, doing);
}

new_database import_database(const scope& of, const std::string& name, const std::string& path) {
  const server_link server(of);
  const std::string doing = "can't import " + path + " as " + name;
  require_new_name(server, name, doing);
  require_safekeepers(server, doing);
  const std::string absolute = std::filesystem::absolute(path).lexically_normal();
  return import_from(of, server, {{"name", name}, {"path", absolute}, {"system_id", "keep"}}, doing);
}

source_removal plan_database_deletion(const scope& of, const std::string& name) {
  source_removal plan = plan_tenant_removal(of, name, "delete");
  for (const auto& each : plan.branches)
    if (each.follows_source())
      throw failure(core::errc::conflict, "can't delete " + plan.source.name, "it follows a source",
                    "strata source remove " + plan.source.name);
  return plan;
}

}  // namespace strata::control
