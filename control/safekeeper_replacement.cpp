#include "control/safekeeper_replacement.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/safekeeper_json.hpp"
#include "consensus/membership_change.hpp"
#include "control/branches.hpp"
#include "control/failure.hpp"
#include "control/safekeeper_file.hpp"

namespace strata::control {
namespace {

using consensus::change_goal;
using consensus::change_stage;
using consensus::change_step;
using consensus::configuration;
using consensus::member;
using consensus::member_log;
using consensus::node_id;
using nlohmann::json;

/// A safekeeper that is stopped must not hold up the others.
constexpr std::chrono::seconds keeper_limit{5};
constexpr std::chrono::milliseconds look_again{100};

std::string named(node_id id) { return "safekeeper " + std::to_string(id.value); }

std::string text_of(const std::vector<member>& of) {
  std::string text;
  for (const member& each : of) text += (text.empty() ? "" : ", ") + std::to_string(each.id.value);
  return text;
}

class replacement {
 public:
  replacement(const scope& of, const replacement_request& asked, const std::function<void(const std::string&)>& done)
      : of_(of),
        asked_(asked),
        done_(done),
        server_(of),
        branch_(find_branch(server_, of, parse_branch_name(asked.branch))) {
    read_server();
  }

  void go_forward() {
    const member to = spare();
    auto stage = stage_of(now_, former_, node_id{asked_.from}, to.id);
    if (!stage) fail(stage.error(), now_.changing() ? command("--abandon") : "strata safekeeper list");
    if (*stage == change_stage::to_begin) begin(to);
    if (*stage != change_stage::to_tidy) {
      announce();
      catch_up(to.id);
      put_on_server(finish_change(now_));
    }
    announce();
    tidy();
  }

  void go_back() {
    if (now_.changing())
      put_on_server(abandon_change(now_));
    else
      step("no change is in progress");
    announce();
    tidy();
  }

  [[nodiscard]] replaced_safekeeper result() const { return {branch_, now_, steps_}; }

 private:
  // -- the steps ------------------------------------------------------------------------------------------------------

  /// The new member gets the WAL before the change is announced: the change is short then, and the proposer needs to
  /// send it only newer WAL, and none that the others have removed.
  void begin(const member& to) {
    const configuration next = need_next(begin_change(now_, members_after(now_, node_id{asked_.from}, to)));
    const auto logs = read_logs();
    const auto answers = [&](node_id id) {
      return id == to.id || std::ranges::find(logs, id, &member_log::id) != logs.end();
    };
    if (!next.is_quorum(answers))
      fail({core::errc::unavailable, "only " + std::to_string(logs.size()) + " of the safekeepers " +
                                         text_of(now_.members) +
                                         " answer and have the branch: a majority of them, and of " +
                                         text_of(*next.new_members) + ", is required"},
           "strata safekeeper list; nothing was changed");
    if (auto pulled = pull_when_free(to.id); !pulled)
      fail(core::error(pulled.error()).within("copy the WAL to " + named(to.id)),
           "strata safekeeper list; nothing was changed");
    step(named(to.id) + " has the branch's WAL");
    put_on_server(next);
  }

  /// Sends the server's configuration to the members; a member that is down gets it with the proposer's greeting.
  void announce() {
    std::string missing;
    std::vector<node_id> took;
    for (const member& each : now_.all()) {
      const auto told = tell_members(each.id);
      if (told)
        took.push_back(each.id);
      else
        missing += (missing.empty() ? "" : "; ") + named(each.id) + ": " + told.error().detail;
    }
    const auto has_it = [&](node_id id) { return std::ranges::find(took, id) != took.end(); };
    if (!now_.is_quorum(has_it))
      fail({core::errc::unavailable, "no majority of the safekeepers has installed generation " +
                                         std::to_string(now_.generation) + ": " + missing},
           again());
    step(std::to_string(took.size()) + " of " + std::to_string(now_.all().size()) + " safekeepers are in generation " +
         std::to_string(now_.generation) + (missing.empty() ? "" : " (" + missing + ")"));
  }

  [[nodiscard]] core::result<void> tell_members(node_id to) const {
    auto told = keeper(to).put(branch_.path() + "/membership", {{"mconf", api::configuration_json(now_)}});
    if (!told) return std::move(told).error();
    return {};
  }

  void catch_up(node_id id) {
    const auto deadline = std::chrono::steady_clock::now() + asked_.limit;
    std::optional<change_goal> goal;
    std::string reason = "no majority of the old safekeepers answers";
    progress shown(*of_.report);
    for (;;) {
      const auto logs = read_logs();
      const auto decided = consensus::decide_change(now_, goal, {id}, logs);
      goal = decided.goal;
      if (decided.next == change_step::finish) break;
      if (goal) close_terms(*goal, decided.below_term);
      if (std::chrono::steady_clock::now() > deadline)
        fail({core::errc::timeout, named(id) + " has not caught up: " + reason}, again());
      if (goal) reason = follow(id, *goal, logs);
      shown.show("catching up", reason);
      std::this_thread::sleep_for(look_again);
    }
    shown.end();
    step(named(id) + " has everything before " + core::to_string(goal->end.flush_lsn));
  }

  /// New members vote in no term in which the old ones may have elected somebody.
  void close_terms(const change_goal& goal, const std::vector<node_id>& below) const {
    for (const node_id id : below)
      // One that does not take it now is asked again: the change does not end before.
      [[maybe_unused]] const auto told = keeper(id).post(branch_.path() + "/term_bump", {{"term", goal.in.value}});
  }

  /// Says what is missing. Without somebody who writes, the new member fetches what came since by itself.
  std::string follow(node_id id, const change_goal& goal, const std::vector<member_log>& logs) {
    const auto log = std::ranges::find(logs, id, &member_log::id);
    if (log != logs.end() && log->end >= goal.end)
      return "a majority of the new safekeepers must reach " + core::to_string(goal.end.flush_lsn) + " and term " +
             std::to_string(goal.in.value);
    if (proposers_[id] == 0)
      if (auto pulled = pull(id); !pulled) return pulled.error().detail;
    return "it has " + core::to_string(log == logs.end() ? core::lsn() : log->end.flush_lsn) + " of " +
           core::to_string(goal.end.flush_lsn);
  }

  /// Who is no member deletes its copy. One that is down keeps it, which harms nobody: its generation is an old one.
  void tidy() {
    for (const auto id : known_safekeepers(of_.directory)) {
      const node_id node{id};
      if (now_.contains(node)) continue;
      auto has_it = keeper(node).get(branch_.path());
      if (!has_it && has_it.error().code == core::errc::not_found) continue;
      if (has_it) has_it = keeper(node).put(branch_.path() + "/exclude", {{"mconf", api::configuration_json(now_)}});
      step(has_it ? named(node) + " has deleted its copy"
                  : named(node) + " has not deleted its copy (" + has_it.error().detail +
                        "): its copy, if any, is kept until this command is run again");
    }
  }

  // -- the server -----------------------------------------------------------------------------------------------------

  void read_server() {
    if (branch_.info.contains("source"))
      fail({core::errc::conflict,
            branch_.name + " follows a source: its WAL comes from there, and it has no safekeepers"},
           "strata branch create NAME --from " + branch_.spec() + "; a compute on that branch has safekeepers");
    const auto answer = server_.get(branch_.path() + "/safekeepers");
    if (!answer)
      fail(answer.error(), answer.error().code == core::errc::not_found
                               ? "strata compute start " + branch_.spec() + " assigns safekeepers"
                               : "strata status");
    now_ = need(api::parse_configuration(*answer, "the server's answer"), "can't read the safekeepers");
    for (const json& id : answer->at("former_members")) former_.push_back({id.get<std::uint64_t>()});
  }

  void put_on_server(const configuration& next) {
    const auto stored = server_.api().put(branch_.path() + "/safekeepers", api::configuration_json(next));
    if (!stored)
      fail(core::error(stored.error()).within("store generation " + std::to_string(next.generation)), again());
    now_ = next;
    step("generation " + std::to_string(next.generation) + ": safekeepers " + text_of(next.members) +
         (next.changing() ? ", and " + text_of(*next.new_members) : ""));
  }

  configuration need_next(core::result<configuration> next) const {
    if (!next) fail(next.error(), "");
    return *std::move(next);
  }

  // -- safekeepers ----------------------------------------------------------------------------------------------------

  member spare() const {
    if (asked_.to > safekeepers_max)
      fail({core::errc::not_found, "there is no safekeeper " + std::to_string(asked_.to) + ": IDs are 1 to " +
                                       std::to_string(safekeepers_max)},
           "strata safekeeper list");
    const auto known = safekeeper_members(of_.directory);
    const auto found = std::ranges::find(known, node_id{asked_.to}, &member::id);
    if (found == known.end())
      fail({core::errc::not_found, "there is no safekeeper " + std::to_string(asked_.to)},
           "strata down; strata up --detach --safekeepers " + std::to_string(std::max<std::uint64_t>(asked_.to, 4)));
    return *found;
  }

  [[nodiscard]] std::string http_of(node_id id) const {
    const auto file = read_safekeeper_file(safekeeper_directory(of_.directory, id.value));
    return file ? file->http : "";
  }
  /// One without an address answers nothing.
  [[nodiscard]] api::api_client keeper(node_id id, std::chrono::seconds limit = keeper_limit) const {
    const std::string http = http_of(id);
    return api::api_client(http.empty() ? "127.0.0.1:0" : http, limit, named(id));
  }

  /// Of those of all its members that answer and have the timeline.
  std::vector<member_log> read_logs() {
    std::vector<member_log> logs;
    for (const member& each : now_.all()) {
      const auto answer = keeper(each.id).get(branch_.path());
      if (!answer) continue;
      const auto timeline = api::parse_donor(*answer);
      if (!timeline) continue;
      proposers_[each.id] = answer->value("proposers", 0U);
      logs.push_back({each.id,
                      timeline->state.members.generation,
                      timeline->state.in,
                      {timeline->state.history.last_term_at(timeline->flush_lsn), timeline->flush_lsn}});
    }
    return logs;
  }

  [[nodiscard]] core::result<void> pull(node_id id) const {
    // A copy from an earlier attempt is of an earlier generation.
    if (auto told = tell_members(id); !told && told.error().code != core::errc::not_found) return told;
    json hosts = json::array();
    for (const member& each : now_.all())
      if (const auto http = http_of(each.id); each.id != id && !http.empty()) hosts.push_back(http);
    auto pulled = keeper(id, asked_.limit)
                      .post("/v1/pull_timeline",
                            {{"tenant_id", branch_.source.id}, {"timeline_id", branch_.id}, {"http_hosts", hosts}});
    if (!pulled) return std::move(pulled).error();
    return {};
  }

  /// What a command that was killed has asked for may still be under way.
  core::result<void> pull_when_free(node_id id) {
    const auto deadline = std::chrono::steady_clock::now() + asked_.limit;
    progress shown(*of_.report);
    for (;;) {
      auto pulled = pull(id);
      const bool is_busy = !pulled && pulled.error().code == core::errc::busy;
      if (!is_busy || std::chrono::steady_clock::now() > deadline) {
        shown.end();
        return pulled;
      }
      shown.show("waiting", pulled.error().detail);
      std::this_thread::sleep_for(look_again);
    }
  }

  // -- what is reported
  // ------------------------------------------------------------------------------------------------

  void step(const std::string& text) {
    steps_.push_back(text);
    done_(text);
  }

  [[nodiscard]] std::string command(const std::string& rest) const {
    return "strata safekeeper replace " + branch_.spec() + " " + rest;
  }
  /// The server decides what is left to do.
  [[nodiscard]] std::string again() const {
    if (asked_.abandon) return command("--abandon") + " continues from here";
    return command("--from " + std::to_string(asked_.from) + " --to " + std::to_string(asked_.to)) +
           " continues from here" + (now_.changing() ? ", " + command("--abandon") + " reverts it" : "");
  }

  [[noreturn]] void fail(const core::error& why, const std::string& next) const {
    throw failure(why,
                  (asked_.abandon ? "can't revert to the old safekeepers of "
                                  : "can't replace safekeeper " + std::to_string(asked_.from) + " of ") +
                      branch_.name,
                  next);
  }

  const scope& of_;
  const replacement_request& asked_;
  const std::function<void(const std::string&)>& done_;
  server_link server_;
  branch_entry branch_;
  configuration now_;                      ///< as the server has it
  std::vector<node_id> former_;            ///< members of earlier configurations
  std::map<node_id, unsigned> proposers_;  ///< that push to a member, when it was last asked
  std::vector<std::string> steps_;
};

}  // namespace

replaced_safekeeper replace_safekeeper(const scope& of, const replacement_request& request,
                                       const std::function<void(const std::string&)>& done) {
  if (!request.abandon && (request.from == 0 || request.to == 0))
    throw failure(core::errc::invalid_argument, "can't replace a safekeeper", "--from and --to are required",
                  "strata safekeeper list");
  replacement change(of, request, done);
  request.abandon ? change.go_back() : change.go_forward();
  return change.result();
}

}  // namespace strata::control
