#include <unistd.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "api/ask.hpp"
#include "api/compute_handlers.hpp"
#include "api/errors.hpp"
#include "api/json_body.hpp"
#include "api/route.hpp"
#include "config/time_text.hpp"

namespace strata::api::compute_handlers {

using messages::compute_status;
using messages::startup_metrics;
using messages::state_refusal;
using nlohmann::json;

namespace {

/// For settings that need another incarnation of Postgres, which waits for the quorum; and for an end that waits for
/// acknowledgements.
constexpr std::chrono::minutes restart_limit{2};

json or_null(const startup_metrics::duration& of) {
  return of ? json(std::chrono::duration<double, std::milli>(*of).count()) : json();
}

reply answer(const compute_status& of, const std::string& version) {
  return json_reply({{"status", to_string(of.state)},
                     {"error", of.error.empty() ? json() : json(of.error)},
                     {"detail", of.detail},
                     {"last_active", of.last_active ? json(config::utc_text(*of.last_active)) : json()},
                     {"start_time", config::utc_text(of.start_time)},
                     {"compute", of.compute},
                     {"tenant", core::to_string(of.tenant)},
                     {"timeline", core::to_string(of.timeline)},
                     {"branch", of.branch},
                     {"mode", of.mode},
                     {"agent_state", of.agent_state},
                     {"pg_version", of.pg_major},
                     {"port", of.port},
                     {"incarnations", of.incarnations},
                     {"term", of.term},
                     {"start_lsn", core::to_string(of.start_lsn)},
                     {"commit_lsn", core::to_string(of.commit_lsn)},
                     {"has_quorum", of.has_quorum},
                     {"settings", of.settings},
                     {"pid", ::getpid()},
                     {"version", version}});
}

/// 412: the state does not allow the request.
reply answer(const state_refusal& of) {
  json allowed = json::array();
  std::string named;
  for (const auto each : of.allowed) {
    allowed.push_back(to_string(each));
    named += (named.empty() ? "" : ", ") + std::string(to_string(each));
  }
  const std::string next = named.empty() ? "GET /status shows its mode" : "the states that allow it: " + named;
  reply made = refusal(412, "precondition_failed", of.why, next);
  json body = json::parse(made.body);
  body["error"]["state"] = to_string(of.now);
  body["error"]["allowed_states"] = std::move(allowed);
  made.body = body.dump() + "\n";
  return made;
}

struct answer_to_check {
  reply operator()(const state_refusal& of) const { return answer(of); }
  reply operator()(const messages::writable& of) const {
    return json_reply({{"durable_lsn", core::to_string(of.durable)}});
  }
  reply operator()(const messages::not_writable& of) const {
    const bool quorum = of.component == "quorum";
    const std::string who = quorum ? "a majority of the safekeepers does not answer" : "Postgres does not answer";
    reply made = refusal(503, "unavailable", who + (of.why.empty() ? "" : ": " + of.why),
                         quorum ? "commits wait until it does; strata safekeeper list" : "see its log");
    json body = json::parse(made.body);
    body["error"]["component"] = of.component;
    made.body = body.dump() + "\n";
    made.headers.emplace_back("Retry-After", "1");
    return made;
  }
};

struct answer_to_configuration {
  reply operator()(const state_refusal& of) const { return answer(of); }
  reply operator()(const messages::compute_configured& of) const {
    json overridden = json::array();
    for (const auto& [line, by] : of.overridden) overridden.push_back({{"setting", line}, {"by", by}});
    return json_reply(
        {{"restarted", of.restarted}, {"needed_restart", of.needed_restart}, {"overridden", std::move(overridden)}});
  }
};

struct answer_to_end {
  reply operator()(const state_refusal& of) const { return answer(of); }
  reply operator()(const messages::compute_ended& of) const {
    return json_reply({{"durable_lsn", core::to_string(of.durable)}});
  }
};

core::result<std::vector<std::string>> settings_in(const json& body) {
  const core::error refused{core::errc::invalid_argument, "settings must be a list of strings NAME = VALUE"};
  const auto list = body.find("settings");
  if (list == body.end() || !list->is_array()) return refused;
  std::vector<std::string> lines;
  for (const json& each : *list) {
    if (!each.is_string()) return refused;
    lines.push_back(each.get<std::string>());
  }
  return lines;
}

/// How long a commit is waited for.
core::result<std::chrono::milliseconds> limit_in(const request& from) {
  const std::string_view text = from.query_text("limit_ms");
  if (text.empty()) return messages::check_writability{}.limit;
  int value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr int least = 100;
  constexpr int most = 30'000;
  if (failure != std::errc() || end != text.data() + text.size() || value < least || value > most)
    return core::error{core::errc::invalid_argument, "limit_ms is a number from 100 to 30000"};
  return std::chrono::milliseconds(value);
}

}  // namespace

core::result<reply> get_status(const services& of, const request&) {
  reply made;
  made.later =
      ask_later<compute_status>(of, of.compute, messages::get_compute_status{}, answer_limit,
                                [version = of.version](const compute_status& now) { return answer(now, version); });
  return made;
}

core::result<reply> get_startup_metrics(const services& of, const request&) {
  STRATA_ASSIGN(const auto found, ask<startup_metrics>(of, of.compute, messages::get_startup_metrics{}));
  constexpr std::uint64_t page_size = 8192;
  return json_reply({{"sync_safekeepers_ms", or_null(found.sync_safekeepers)},
                     {"pageserver_ms", or_null(found.pageserver)},
                     {"basebackup_ms", or_null(found.basebackup)},
                     {"config_ms", or_null(found.config)},
                     {"start_postgres_ms", or_null(found.start_postgres)},
                     {"total_startup_ms", or_null(found.total)},
                     {"basebackup_bytes", found.basebackup_bytes},
                     {"pages_fetched", found.pages_fetched},
                     {"page_bytes_fetched", found.pages_fetched * page_size},
                     {"incarnations", found.incarnations}});
}

core::result<reply> get_openapi(const services& of, const request&) {
  reply text;
  text.body = openapi(compute_routes(), of.version, "Strata control endpoints of a compute");
  return text;
}

core::result<reply> check_writability(const services& of, const request& from) {
  STRATA_TRY(parse_body(from));
  STRATA_ASSIGN(const auto limit, limit_in(from));
  reply made;
  made.later = ask_later<messages::writability>(
      of, of.compute, messages::check_writability{limit}, answer_limit,
      [](const messages::writability& found) { return std::visit(answer_to_check{}, found); });
  return made;
}

core::result<reply> configure(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"settings"}));
  STRATA_ASSIGN(auto settings, settings_in(body));
  reply made;
  made.later = ask_later<messages::configuration_answer>(
      of, of.compute, messages::configure_compute{std::move(settings)}, restart_limit,
      [](const messages::configuration_answer& found) { return std::visit(answer_to_configuration{}, found); });
  return made;
}

core::result<reply> terminate(const services& of, const request& from) {
  STRATA_TRY(parse_body(from));
  const std::string_view mode = from.query_text("mode");
  if (!mode.empty() && mode != "fast" && mode != "immediate")
    return core::error{core::errc::invalid_argument, "mode is fast or immediate"};
  reply made;
  made.later = ask_later<messages::end_answer>(
      of, of.compute, messages::end_compute{mode == "immediate"}, restart_limit,
      [](const messages::end_answer& found) { return std::visit(answer_to_end{}, found); });
  return made;
}

}  // namespace strata::api::compute_handlers
