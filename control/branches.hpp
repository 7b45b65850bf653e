#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/state_json.hpp"
#include "config/branch_spec.hpp"
#include "control/scope.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"

namespace strata::control {

/// A source (tenant) as the server lists it.
struct source_entry {
  std::string id;
  std::string name;
  std::string broken;      ///< why it can't be used; empty when it can
  bool importing = false;  ///< it is created from files, and can't be used before that is done
  bool alone = false;      ///< there is no other

  /// What the next command is to call a branch of it: SOURCE/BRANCH when there are several sources.
  [[nodiscard]] std::string spec_of(const std::string& branch) const { return alone ? branch : name + "/" + branch; }
};

/// A branch as the server lists it: GET .../timeline/{timeline_id}.
struct branch_entry {
  source_entry source;
  std::string id;
  std::string name;
  nlohmann::json info;

  [[nodiscard]] std::string spec() const { return source.spec_of(name); }
  [[nodiscard]] std::string path() const { return "/v1/tenant/" + source.id + "/timeline/" + id; }
  [[nodiscard]] std::string text(const std::string& member) const { return info.value(member, std::string()); }
  [[nodiscard]] api::shown_state<messages::timeline_state> state() const;
  /// Its WAL comes from a source, so nothing else may write to it.
  [[nodiscard]] bool follows_source() const { return text("follows") == "source"; }
  /// The first branch of a database that has no source: created, imported or promoted.
  [[nodiscard]] bool is_own_root() const { return text("ancestor_timeline_id").empty() && !follows_source(); }
  [[nodiscard]] bool active() const { return state().is(messages::timeline_state::active); }
  [[nodiscard]] bool broken() const { return state().is(messages::timeline_state::broken); }
  /// "Active", "Importing", "Broken: why".
  [[nodiscard]] std::string state_text() const;
};

/// A point of a branch that can be asked for.
struct resolved_point {
  core::lsn at;
  std::optional<core::wall_time> time;  ///< of the last transaction before it
};

std::vector<source_entry> list_sources(const server_link& server);
/// All branches of a source; of all sources that are not broken when empty.
std::vector<branch_entry> list_branches(const server_link& server, const std::string& source);

/// `name` may be a unique prefix or an id, or empty when there is one source only. Failures list what there is.
source_entry find_source(const server_link& server, const std::string& name);

/// What a [TENANT/]BRANCH[@WHEN] on the command line means; failures say how to write it.
config::branch_spec parse_spec(const std::string& text);
/// Without WHEN.
config::branch_spec parse_branch_name(const std::string& text);

branch_entry find_branch(const server_link& server, const scope& of, const config::branch_spec& spec);

/// For a command that loses something ("delete"): a failure if `wanted` is a prefix only.
void require_full_name(const branch_entry& found, const config::branch_spec& wanted, const std::string& verb);
void require_full_name(const source_entry& found, const std::string& wanted, const std::string& verb);

/// Asks the server where the point is, which is kept readable for a while from then on. A time whose state is not known
/// yet is waited for, at most 10 s. A failure tells the window when the point is outside, or what is known until when;
/// a note tells when the head is not the present of the source.
resolved_point resolve(const server_link& server, const branch_entry& branch, const config::branch_point& point);

/// The earliest time that a branch can be asked for, in whole seconds; nullopt when none is known.
std::optional<core::wall_time> earliest_time(const server_link& server, const branch_entry& branch);

/// "streaming, 0 B behind, last message 1 s ago"; of a source that is lost "waiting to retry, last message 52 s ago".
std::string following(const nlohmann::json& source);
/// "waiting to retry".
std::string phase_text(const nlohmann::json& source);
/// "its clock is ahead by 30d: garbage collection by time is paused"; empty while the clocks agree.
std::string clock_difference_text(const nlohmann::json& source);
/// "2026-11-22 14:06:41 CET (61 s ago)" of a time as the server writes it.
std::string time_shown(const std::string& utc);
/// "3.1 MiB" of its own layers, in memory or on disk.
std::string size_shown(const branch_entry& branch);
/// "2026-11-22 16:06:41 CET (in 2h)" of a timeline; empty if it does not expire.
std::string expiry_shown(const nlohmann::json& timeline);
/// Of the branch's last commit, up to the whole second: the branch at that time has the commit.
std::string last_commit_shown(const branch_entry& branch);
/// "resource manager 130 from 0/3B21F08, 131 from 0/4000028: ..."
std::string extension_records(const nlohmann::json& info);
/// The moment whose state the head of the branch has: now, or until when its source is known.
core::wall_time known_at(const branch_entry& branch);
/// The bytes that a source is ahead of its branch, or "unknown".
std::string lag_text(const nlohmann::json& source);
/// How long ago the source last told how far it is; empty when it never did.
std::string last_message_text(const nlohmann::json& source);

/// "main@0/3B21F08 (2026-11-22 14:06:41 CET, 61 s ago)".
std::string describe(const branch_entry& branch, const resolved_point& point);

/// How the branch's source is followed, and so how its computes are connected to.
struct source_login {
  std::string user;
  std::string database;  ///< that the source's connection string names
};
source_login source_login_of(const server_link& server, const branch_entry& branch);

}  // namespace strata::control
