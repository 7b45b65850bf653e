#include <unistd.h>

#include <nlohmann/json.hpp>

#include "api/ask.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/json_text.hpp"
#include "api/route.hpp"
#include "config/time_text.hpp"

namespace strata::api::handlers {

using nlohmann::json;

core::result<reply> get_status(const services& of, const request&) {
  json status{{"version", of.version},
              {"pid", ::getpid()},
              {"directory", of.directory},
              {"page_port", of.page_port},
              {"pg_bin", of.pg_bin},
              {"state", "running"},
              {"time", config::utc_text(of.clock->now())}};
  if (!of.reconciler) {
    status["pending_operations"] = json::array();
    return json_reply(status);
  }
  // Status answers also when an actor does not.
  const auto left = ask<messages::pending_operation_list>(of, of.reconciler, messages::list_pending_operations{},
                                                          std::chrono::seconds(2));
  if (!left) return json_reply(status);
  json& operations = status["pending_operations"] = json::array();
  for (const auto& each : left->operations) operations.push_back(to_json(each));
  return json_reply(status);
}

core::result<reply> get_metrics(const services& of, const request&) {
  reply text;
  text.content_type = "text/plain; version=0.0.4; charset=utf-8";
  if (of.metrics) text.body = of.metrics();
  return text;
}

core::result<reply> get_livez(const services&, const request&) { return json_reply({{"status", "ok"}}); }

core::result<reply> get_readyz(const services& of, const request&) {
  STRATA_TRY(ask<messages::tenant_list>(of, of.tenants, messages::list_tenants{}, std::chrono::seconds(5)));
  return json_reply({{"status", "ok"}});
}

core::result<reply> get_openapi(const services& of, const request&) {
  reply text;
  text.body = openapi(routes(), of.version);
  return text;
}

core::result<reply> list_actors(const services& of, const request&) {
  STRATA_ASSIGN(const auto found, ask<messages::actor_list>(of, of.introspector, messages::list_actors{}));
  json actors = json::array();
  for (const auto& actor : found.actors) actors.push_back(to_json(actor));
  return json_reply({{"actors", std::move(actors)}});
}

core::result<reply> list_pools(const services& of, const request&) {
  STRATA_ASSIGN(const auto found, ask<messages::pool_list>(of, of.introspector, messages::list_pools{}));
  json pools = json::array();
  for (const auto& pool : found.pools) pools.push_back(to_json(pool));
  return json_reply({{"pools", std::move(pools)}});
}

}  // namespace strata::api::handlers
