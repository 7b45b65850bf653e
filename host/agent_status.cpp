#include "host/agent_status.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/json_file.hpp"
#include "io/replace_file.hpp"

namespace strata::host {
namespace {

using nlohmann::json;

constexpr std::array words = {
    "waiting_for_quorum", "waiting_for_pageserver", "restoring", "starting", "running", "stopping", "stopped", "failed",
    "superseded"};
static_assert(words.size() == static_cast<std::size_t>(agent_state::superseded) + 1);

agent_status::fill_work work_from(const json& of) {
  agent_status::fill_work made;
  for (const auto& [name, member] : fill_work_members) made.*member = of.value(name, std::uint64_t{0});
  return made;
}

std::string path_in(const std::string& directory) { return directory + "/compute-agent.json"; }

core::result<agent_status::replay> replay_from_json(const json& of) {
  agent_status::replay made{.upstream = of.at("upstream")};
  STRATA_ASSIGN(made.head_lsn, core::parse_lsn(of.at("head_lsn").get<std::string>()));
  STRATA_ASSIGN(made.received_lsn, core::parse_lsn(of.at("received_lsn").get<std::string>()));
  STRATA_ASSIGN(made.replayed_lsn, core::parse_lsn(of.at("replayed_lsn").get<std::string>()));
  if (const auto& bytes = of.at("lag_bytes"); !bytes.is_null()) made.lag_bytes = bytes.get<std::uint64_t>();
  if (const auto& lag = of.at("lag_ms"); !lag.is_null()) made.lag = std::chrono::milliseconds(lag.get<std::int64_t>());
  return made;
}

core::result<agent_status> from_json(const json& of) {
  agent_status made;
  made.pid = of.at("pid");
  // Agents of before did not tell.
  if (of.contains("timeline_id")) {
    STRATA_ASSIGN(made.tenant_id, core::parse_id<core::tenant_id>(of.at("tenant_id").get<std::string>()));
    STRATA_ASSIGN(made.timeline_id, core::parse_id<core::timeline_id>(of.at("timeline_id").get<std::string>()));
    made.branch = of.value("branch", "");
  }
  const std::string state = of.at("state");
  std::size_t found = 0;
  while (found < words.size() && words[found] != state) ++found;
  if (found == words.size()) return core::error{core::errc::corrupt, "there is no state \"" + state + "\""};
  made.state = static_cast<agent_state>(found);
  made.detail = of.at("detail");
  made.term = of.at("term");
  made.generation = of.at("generation");
  STRATA_ASSIGN(made.start_lsn, core::parse_lsn(of.at("start_lsn").get<std::string>()));
  STRATA_ASSIGN(made.written_lsn, core::parse_lsn(of.at("written_lsn").get<std::string>()));
  STRATA_ASSIGN(made.commit_lsn, core::parse_lsn(of.at("commit_lsn").get<std::string>()));
  STRATA_ASSIGN(made.applied_lsn, core::parse_lsn(of.at("applied_lsn").get<std::string>()));
  made.has_quorum = of.at("has_quorum");
  made.restored_bytes = of.at("restored_bytes");
  made.incarnations = of.value("incarnations", std::uint32_t{0});  // absent in files of older agents
  made.port = of.at("port");
  made.since = core::wall_time(std::chrono::microseconds(of.at("since_us").get<std::int64_t>()));
  made.config = std::chrono::microseconds(of.value("config_us", std::int64_t{0}));
  made.control_port = of.value("control_port", std::uint16_t{0});
  for (const auto& each : of.at("safekeepers")) {
    agent_status::safekeeper one{each.at("id"), each.at("address"), each.at("state"), {}};
    STRATA_ASSIGN(one.flush_lsn, core::parse_lsn(each.at("flush_lsn").get<std::string>()));
    made.safekeepers.push_back(std::move(one));
  }
  for (std::size_t step = 0; step < made.steps.size(); ++step)
    if (const auto found = of.find("steps_us"); found != of.end())
      made.steps[step] = std::chrono::microseconds(found->at(words[step]).get<std::int64_t>());
  if (const auto pages = of.find("pages"); pages != of.end())
    made.pages = {.total = pages->at("total"),
                  .missing = pages->at("missing"),
                  .complete = pages->value("complete", false),
                  .waits = pages->at("waits"),
                  .fillers = pages->at("fillers"),
                  .filler = pages->at("filler"),
                  .filler_state = pages->value("filler_state", ""),
                  .work = work_from(pages->value("work", json::object()))};
  made.notes = of.value("notes", std::vector<std::string>());
  if (const auto standby = of.find("standby"); standby != of.end()) {
    STRATA_ASSIGN(made.standby, replay_from_json(*standby));
    made.lag_as_of = core::wall_time(std::chrono::microseconds(of.value("lag_as_of_us", std::int64_t{0})));
  }
  return made;
}

}  // namespace

const char* to_string(agent_state of) { return words[static_cast<std::size_t>(of)]; }

void forget_old_lag(agent_status& of, core::wall_time now) {
  if (!of.standby || (of.lag_as_of <= now + lag_age_max && now - of.lag_as_of <= lag_age_max)) return;
  of.standby->lag_bytes.reset();
  of.standby->lag.reset();
}

json to_json(const agent_status::replay& of) {
  return {{"upstream", of.upstream},
          {"head_lsn", core::to_string(of.head_lsn)},
          {"received_lsn", core::to_string(of.received_lsn)},
          {"replayed_lsn", core::to_string(of.replayed_lsn)},
          {"lag_bytes", of.lag_bytes ? json(*of.lag_bytes) : json()},
          {"lag_ms", of.lag ? json(of.lag->count()) : json()}};
}

core::result<void> save_status(const std::string& directory, const agent_status& of) {
  json work = json::object();
  for (const auto& [name, member] : fill_work_members) work[name] = of.pages.work.*member;
  json steps = json::object();
  for (std::size_t step = 0; step < of.steps.size(); ++step) steps[words[step]] = of.steps[step].count();
  json safekeepers = json::array();
  for (const auto& each : of.safekeepers)
    safekeepers.push_back({{"id", each.id},
                           {"address", each.address},
                           {"state", each.state},
                           {"flush_lsn", core::to_string(each.flush_lsn)}});
  json made = {{"pid", of.pid},
               {"state", to_string(of.state)},
               {"detail", of.detail},
               {"term", of.term},
               {"generation", of.generation},
               {"start_lsn", core::to_string(of.start_lsn)},
               {"written_lsn", core::to_string(of.written_lsn)},
               {"commit_lsn", core::to_string(of.commit_lsn)},
               {"applied_lsn", core::to_string(of.applied_lsn)},
               {"has_quorum", of.has_quorum},
               {"restored_bytes", of.restored_bytes},
               {"incarnations", of.incarnations},
               {"port", of.port},
               {"since_us", of.since.time_since_epoch().count()},
               {"steps_us", std::move(steps)},
               {"config_us", of.config.count()},
               {"control_port", of.control_port},
               {"notes", of.notes},
               {"safekeepers", std::move(safekeepers)},
               {"pages",
                {{"total", of.pages.total},
                 {"missing", of.pages.missing},
                 {"complete", of.pages.complete},
                 {"waits", of.pages.waits},
                 {"fillers", of.pages.fillers},
                 {"filler", of.pages.filler},
                 {"filler_state", of.pages.filler_state},
                 {"work", std::move(work)}}}};
  if (of.standby) {
    made["standby"] = to_json(*of.standby);
    made["lag_as_of_us"] = of.lag_as_of.time_since_epoch().count();
  }
  if (of.timeline_id.valid()) {
    made["tenant_id"] = core::to_string(of.tenant_id);
    made["timeline_id"] = core::to_string(of.timeline_id);
    made["branch"] = of.branch;
  }
  return io::replace_file(path_in(directory), made.dump(1) + "\n", {.durable = false});
}

core::result<agent_status> load_status(const std::string& directory) {
  STRATA_ASSIGN(const json found, config::read_json_file(path_in(directory)));
  try {
    auto made = from_json(found);
    if (!made) return core::error{core::errc::corrupt, path_in(directory) + ": " + made.error().detail};
    return made;
  } catch (const json::exception&) {
    return config::wrong_members(path_in(directory));
  }
}

}  // namespace strata::host
