#include "actors/safekeeper/donor_search.hpp"

#include "consensus/membership_change.hpp"

namespace strata::actors::safekeeper {
namespace {

consensus::log_end end_of(const messages::wal_donor& of) {
  return {of.state.history.last_term_at(of.flush_lsn), of.flush_lsn};
}

}  // namespace

core::result<messages::wal_donor> best_donor(const core::timeline_key& of, const std::vector<donor_answer>& answers) {
  const messages::wal_donor* best = nullptr;
  core::error none{core::errc::unavailable, "no host has the timeline"};
  const auto left_out = [&none](const std::string& host, std::string_view why) {
    none.detail += "; " + host + ": " + std::string(why);
  };
  for (const donor_answer& each : answers) {
    if (!each.copy) {
      left_out(each.host, each.copy.error().detail);
    } else if (each.copy->state.tenant != of.tenant || each.copy->state.timeline != of.timeline) {
      // Whatever it has, it must not keep a good answer from being chosen.
      none.code = core::errc::corrupt;
      left_out(each.host, "it answered with another timeline");
    } else if (best == nullptr || end_of(*best) < end_of(*each.copy)) {
      best = &*each.copy;
    }
  }
  if (best == nullptr) return none;
  return *best;
}

void donor_search::find(messages::pull_wal_timeline wanted, outcome then) {
  if (!ask_) return then(core::error{core::errc::unsupported, "this safekeeper can't ask other safekeepers"});
  if (wanted.hosts.empty()) return then(best_donor(wanted.of, {}));
  searches_.push_back({std::move(wanted), std::move(then)});
  ask_next();
}

void donor_search::ask_next() {
  if (asking_ || searches_.empty()) return;
  asking_ = true;
  const search& first = searches_.front();
  const std::string& host = first.wanted.hosts[first.answers.size()];
  run_(
      "ask " + host + " for a timeline", [ask = ask_, host, of = first.wanted.of] { return ask(host, of); },
      [this](core::result<messages::wal_donor> copy) { answered(std::move(copy)); });
}

void donor_search::answered(core::result<messages::wal_donor> copy) {
  asking_ = false;
  search first = std::move(searches_.front());
  searches_.pop_front();
  const std::string& host = first.wanted.hosts[first.answers.size()];
  first.answers.push_back({host, std::move(copy)});
  const bool complete = first.answers.size() == first.wanted.hosts.size();
  if (!complete) searches_.push_back(std::move(first));
  ask_next();
  if (complete) first.then(best_donor(first.wanted.of, first.answers));
}

}  // namespace strata::actors::safekeeper
