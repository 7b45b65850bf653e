#include "consensus/proposer.hpp"

#include <algorithm>
#include <tuple>

#include "core/check.hpp"

namespace strata::consensus {

proposer::proposer(proposer_options options) : options_(std::move(options)) {
  core::check(check(options_.members).has_value(), "a proposer has members that can form a quorum");
  core::check(options_.timeline_start.valid(), "a proposer has the start of its timeline");
  for (const member& each : options_.members.all()) peers_.push_back({.id = each.id});
}

proposer_effects proposer::step(const proposer_input& input) {
  proposer_effects effects;
  if (phase_ == phase::superseded) return effects;
  const term term_before = term_;
  const core::lsn commit_before = commit_;
  std::visit([&](const auto& each) { on(each, effects); }, input);
  core::check(term_ >= term_before, "a proposer's term does not descend");
  core::check(commit_ >= commit_before, "a proposer's commit_lsn does not descend");
  check_invariants();
  return effects;
}

// -- connections ------------------------------------------------------------------------------------------------------

void proposer::on(const acceptor_connected& event, proposer_effects& out) {
  peer* const to = find(event.node);
  if (to == nullptr) return;
  to->now = peer::state::greeting;
  to->vote_given = false;
  out.push_back(send_to{to->id, greeting{options_.tenant, options_.timeline, options_.members, options_.cluster}});
}

void proposer::on(const acceptor_lost& event, proposer_effects& /*out*/) {
  peer* const from = find(event.node);
  if (from == nullptr) return;
  from->now = peer::state::away;
  from->vote_given = false;
}

void proposer::on(const acceptor_said& event, proposer_effects& out) {
  peer* const from = find(event.node);
  if (from == nullptr || from->now == peer::state::away) return;
  std::visit([&](const auto& message) { hear(*from, message, out); }, event.message);
}

void proposer::hear(peer& from, const greeting_reply& message, proposer_effects& out) {
  if (from.now != peer::state::greeting) return;
  if (message.from != from.id) {
    out.push_back(drop_connection{from.id, "another safekeeper answered"});
    return;
  }
  if (message.members.generation > options_.members.generation) {
    out.push_back(members_changed{message.members});
    return;
  }
  if (message.members.generation < options_.members.generation) {
    out.push_back(drop_connection{from.id, "it did not install the newer members"});
    return;
  }
  from.now = peer::state::greeted;
  from.in = std::max(from.in, message.in);
  switch (phase_) {
    case phase::leading:
      if (message.in > term_) return supersede(message.in, out);
      return ask_for_vote(from, out);
    case phase::campaigning: return ask_for_vote(from, out);
    case phase::collecting:
      if (!campaigns_again_ && has_quorum_of_greeted()) campaign(out);
      return;
    case phase::superseded: return;
  }
}

// -- elections --------------------------------------------------------------------------------------------------------

void proposer::on(const heartbeat_due& /*event*/, proposer_effects& out) {
  if (phase_ == phase::leading) {
    for (peer& each : peers_)
      if (each.now == peer::state::streaming) feed(each, true, 0, out);
  } else if (campaigns_again_ && has_quorum_of_greeted()) {
    campaign(out);
  }
}

void proposer::campaign(proposer_effects& out) {
  for (const peer& each : peers_) term_ = std::max(term_, each.in);
  term_ = term_.next();
  phase_ = phase::campaigning;
  campaigns_again_ = false;
  for (peer& each : peers_)
    if (each.now >= peer::state::greeted) ask_for_vote(each, out);
}

void proposer::ask_for_vote(peer& of, proposer_effects& out) const {
  of.now = peer::state::voting;
  of.vote_given = false;
  out.push_back(send_to{of.id, vote_request{options_.members.generation, term_}});
}

void proposer::hear(peer& from, const vote_reply& message, proposer_effects& out) {
  if (from.now != peer::state::voting) return;
  if (message.generation != options_.members.generation) {
    out.push_back(drop_connection{from.id, "its members are of another generation"});
    return;
  }
  from.in = std::max(from.in, message.in);
  if (message.in > term_) {
    if (phase_ == phase::leading) return supersede(message.in, out);
    phase_ = phase::collecting;
    campaigns_again_ = true;
    return;
  }
  // The answer to an earlier request, or to an abandoned one.
  if (message.in < term_ || phase_ == phase::collecting) return;

  term_history history = message.history.up_to(message.flush_lsn);
  if (history.empty() == message.flush_lsn.valid() || history.last_term() > term_ ||
      (phase_ == phase::campaigning && message.given && history.last_term() == term_)) {
    out.push_back(drop_connection{from.id, "its vote has an invalid history"});
    return;
  }
  from.now = peer::state::voted;
  from.vote_given = message.given;
  from.flush_lsn = message.flush_lsn;
  from.truncate_lsn = message.truncate_lsn;
  from.history = std::move(history);
  if (phase_ == phase::leading) return begin_streaming(from, out);
  if (!message.given) {
    // Another proposer has this term there. We may still win without this acceptor.
    campaigns_again_ = true;
    return;
  }
  const auto gave = [this](node_id id) { return find(id)->vote_given; };
  if (options_.members.is_quorum(gave)) win(out);
}

void proposer::win(proposer_effects& out) {
  const peer* donor = nullptr;
  const auto rank = [](const peer& of) { return std::tuple(of.history.last_term(), of.flush_lsn); };
  for (const peer& each : peers_)
    if (each.vote_given && (donor == nullptr || rank(each) > rank(*donor))) donor = &each;

  // With another last term another proposer has written since; with more WAL than ours, ours is not what a quorum has.
  const bool resumes = !options_.resumes.empty();
  const auto was_ours = [this](term of) { return std::ranges::find(options_.resumes, of) != options_.resumes.end(); };
  if (resumes && (!was_ours(donor->history.last_term()) || donor->flush_lsn > options_.written))
    return supersede(donor->history.last_term(), out);

  phase_ = phase::leading;
  campaigns_again_ = false;
  start_ = donor->flush_lsn.valid() ? donor->flush_lsn : options_.timeline_start;
  history_ = donor->history.with({term_, start_});
  written_ = resumes ? options_.written : start_;
  truncate_ = history_.start();
  for (const peer& each : peers_)
    if (each.vote_given) truncate_ = std::max(truncate_, std::min(each.truncate_lsn, start_));
  out.push_back(election_won{term_, start_, donor->id});
  for (peer& each : peers_)
    if (each.now == peer::state::voted) begin_streaming(each, out);
}

void proposer::supersede(term by, proposer_effects& out) {
  phase_ = phase::superseded;
  out.push_back(superseded{by});
}

// -- streaming --------------------------------------------------------------------------------------------------------

void proposer::begin_streaming(peer& to, proposer_effects& out) {
  core::lsn point = common_point(to.history, to.flush_lsn, history_);
  if (!point.valid()) point = history_.start();
  if (point < to.acknowledged) {
    out.push_back(drop_connection{to.id, "it has lost WAL that it acknowledged"});
    return;
  }
  if (point > written_) {
    out.push_back(drop_connection{to.id, "it has WAL that was not sent"});
    return;
  }
  to.now = peer::state::streaming;
  to.flush_lsn = to.sent = point;
  out.push_back(send_to{to.id, elected{options_.members.generation, term_, point, history_}});
  feed(to, true, 0, out);
}

void proposer::feed(peer& to, bool always, int extra, proposer_effects& out) const {
  const auto send = [&](core::lsn end) {
    out.push_back(send_to{to.id, append{options_.members.generation, term_, to.sent, end, commit_, truncate_}});
    to.sent = end;
    always = false;
  };
  for (;;) {
    const core::lsn window_end = to.flush_lsn + options_.window_bytes;
    if (to.sent >= written_ || (to.sent >= window_end && extra-- <= 0)) break;
    core::lsn end = std::min(written_, to.sent + append_size_max);
    if (to.sent < window_end) end = std::min(end, window_end);
    if (to.sent < start_) end = std::min(end, start_);
    send(end);
  }
  if (always) send(to.sent);
}

void proposer::hear(peer& from, const append_reply& message, proposer_effects& out) {
  if (from.now != peer::state::streaming) return;
  if (message.generation != options_.members.generation) {
    out.push_back(drop_connection{from.id, "its members are of another generation"});
    return;
  }
  from.in = std::max(from.in, message.in);
  if (message.in > term_) return supersede(message.in, out);
  if (message.in < term_ || message.flush_lsn > from.sent) {
    out.push_back(drop_connection{from.id, "it acknowledged what was not sent"});
    return;
  }
  const bool moved = message.flush_lsn > from.flush_lsn;
  from.flush_lsn = std::max(from.flush_lsn, message.flush_lsn);
  from.acknowledged = std::max(from.acknowledged, message.flush_lsn);
  from.commit_lsn = std::max(from.commit_lsn, message.commit_lsn);
  advance_truncate();
  advance_commit(out);
  feed(from, false, moved ? 0 : appends_per_answer, out);
}

void proposer::on(const wal_written& event, proposer_effects& out) {
  core::check(phase_ == phase::leading, "WAL is written by an elected proposer");
  core::check(event.end >= written_, "WAL that was written stays");
  written_ = event.end;
  for (peer& each : peers_)
    if (each.now == peer::state::streaming) feed(each, false, 0, out);
}

void proposer::advance_commit(proposer_effects& out) {
  // An acceptor before start_ may have WAL of older terms only. A proposer elected without it may overwrite that WAL,
  // even if a quorum has it.
  const core::lsn reached = options_.members.quorum_position([this](node_id id) {
    const core::lsn acknowledged = find(id)->acknowledged;
    return acknowledged >= start_ ? acknowledged : core::lsn();
  });
  if (reached <= commit_) return;
  commit_ = reached;
  advance_truncate();
  out.push_back(committed{commit_});
  for (peer& each : peers_)
    if (each.now == peer::state::streaming) feed(each, true, 0, out);
}

void proposer::advance_truncate() {
  core::lsn everywhere = commit_;
  for (const peer& each : peers_) everywhere = std::min(everywhere, each.acknowledged);
  truncate_ = std::max(truncate_, everywhere);
}

// -- helpers ----------------------------------------------------------------------------------------------------------

proposer::peer* proposer::find(node_id id) {
  const auto found = std::ranges::lower_bound(peers_, id, {}, &peer::id);
  return found != peers_.end() && found->id == id ? &*found : nullptr;
}

bool proposer::has_quorum_of_greeted() const {
  return options_.members.is_quorum(
      [this](node_id id) { return std::ranges::find(peers_, id, &peer::id)->now >= peer::state::greeted; });
}

void proposer::check_invariants() const {
  core::check(commit_ <= written_, "a proposer's commit_lsn is not above its WAL");
  core::check(truncate_ <= written_ || !written_.valid(), "a proposer's truncate_lsn is not above its WAL");
  for (const peer& each : peers_) {
    core::check(each.acknowledged <= written_, "nothing is acknowledged that was not written");
    if (each.now != peer::state::streaming) continue;
    core::check(each.flush_lsn <= each.sent && each.sent <= written_, "nothing is sent that was not written");
  }
}

}  // namespace strata::consensus
