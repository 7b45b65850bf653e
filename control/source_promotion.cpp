#include "control/source_promotion.hpp"

#include <algorithm>

#include "config/quantity.hpp"
#include "control/compute_start.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"

namespace strata::control {
namespace {

using nlohmann::json;

/// Attempts in a row in which the missing WAL did not become less: the source writes faster than it is received.
constexpr int attempts_without_progress_max = 3;

std::uint64_t lag_of(const json& timeline) {
  return timeline.value("source", json::object()).value("lag_bytes", std::uint64_t{0});
}

/// Each attempt waits for the WAL that the source has at its begin, for a bounded time.
core::result<json> promote(const server_link& server, const branch_entry& branch, bool force) {
  progress line(server.report());
  std::uint64_t least = ~std::uint64_t{0};
  for (int without_progress = 0;;) {
    auto made = server.api().post(branch.path() + "/promote_source", json{{"force", force}});
    if (made || made.error().code != core::errc::timeout) return made;
    const auto now = server.api().get(branch.path());
    if (!now) return now.error();
    const std::uint64_t lag = lag_of(*now);
    without_progress = lag < least ? 0 : without_progress + 1;
    least = std::min(least, lag);
    if (without_progress == attempts_without_progress_max) return made;
    line.show("catching up", config::size_text(lag) + " behind");
  }
}

}  // namespace

promoted_source promote_source(const scope& of, const std::string& name, bool force) {
  const server_link server(of);
  const source_entry source = find_source(server, name);
  const std::string doing = "can't promote " + source.name;
  if (source.name != name && source.id != name)
    throw failure(core::errc::not_found, "there is no source \"" + name + "\"",
                  "promote requires the full name; the closest match is " + source.name, "strata source list");
  if (server.file().broker.empty())
    throw failure(core::errc::unavailable, doing, "its WAL is stored by safekeepers then, and this server has none",
                  "strata down; strata up --detach --safekeepers 3");
  const auto branches = list_branches(server, source.name);
  const auto root = std::ranges::find_if(branches, &branch_entry::follows_source);
  if (root == branches.end())
    throw failure(core::errc::conflict, doing, source.name + " follows no source: it was promoted, or never did",
                  "strata psql " + source.spec_of("main"));
  if (!root->active())
    throw failure(core::errc::unavailable, doing, "its state is " + root->state_text(), "strata source list");
  const auto made = promote(server, *root, force);
  if (!made) {
    const bool can_force = made.error().code == core::errc::unavailable || made.error().code == core::errc::timeout;
    throw failure(
        made.error(), doing,
        can_force ? "strata source list; to go on without that WAL: strata source promote " + source.name + " --force"
                  : "strata source list");
  }
  promoted_source done{.source = source,
                       .branch = root->name,
                       .at = need(core::parse_lsn(made->value("lsn", "")), "the server's answer is invalid"),
                       .left_at_source = made->value("left_at_source", ""),
                       .slots_left = made->value("slots_left", json::array()),
                       .standbys = {}};
  for (const auto& each : running_computes_of(of, *root)) {
    if (each.mode != host::compute_mode::standby) continue;
    try {
      stop_compute(of, each, false);
      start_compute(of, {.spec = source.name + "/" + root->name, .name = each.name, .standby = true});
      done.standbys.push_back(each.name);
    } catch (const failure& e) {
      of.report->failed(e);
    }
  }
  return done;
}

}  // namespace strata::control
