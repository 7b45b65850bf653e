#include <algorithm>
#include <sstream>

#include "tests/model_check/cluster.hpp"

namespace strata::tests::model_check {

using namespace consensus;
using kind = action::kind;

namespace {

std::string text_of(const labels& log) {
  std::string text = "[";
  for (const std::uint8_t each : log) text += std::to_string(each);
  return text + "]";
}

std::string text_of(const term_history& of) {
  std::string text = "(";
  for (const term_start& entry : of.entries())
    text += (text.size() > 1 ? " " : "") + to_string(entry.in) + "@" + std::to_string(entry.at.value);
  return text + ")";
}

struct message_text {
  std::string operator()(const greeting&) const { return "greeting"; }
  std::string operator()(const vote_request& of) const { return "vote_request " + to_string(of.in); }
  std::string operator()(const elected& of) const {
    return "elected " + to_string(of.in) + " from " + std::to_string(of.start_streaming_at.value) + " " +
           text_of(of.history);
  }
  std::string operator()(const append& of) const {
    return "append " + to_string(of.in) + " " + std::to_string(of.begin.value) + ".." + std::to_string(of.end.value) +
           " commit " + std::to_string(of.commit_lsn.value) + " truncate " + std::to_string(of.truncate_lsn.value);
  }
  std::string operator()(const greeting_reply& of) const { return "greeting_reply " + to_string(of.in); }
  std::string operator()(const vote_reply& of) const {
    return "vote_reply " + to_string(of.in) + (of.given ? " given" : " refused") + " flush " +
           std::to_string(of.flush_lsn.value) + " " + text_of(of.history);
  }
  std::string operator()(const append_reply& of) const {
    return "append_reply " + to_string(of.in) + " flush " + std::to_string(of.flush_lsn.value) + " commit " +
           std::to_string(of.commit_lsn.value);
  }
};

}  // namespace

cluster::number cluster::proposer_number(const proposer_cell& of) {
  const number known = proposers_.number_of(of);
  if (known < like_.size()) return like_[known];
  const proposer& machine = of.machine;
  std::ostringstream core;
  core << static_cast<int>(machine.now()) << machine.campaigns_again() << ' ' << machine.in().value << ' '
       << text_of(machine.history()) << machine.start_lsn().value << ' ' << machine.written().value << ' '
       << machine.commit_lsn().value << ' ' << machine.truncate_lsn().value << ' '
       << machine.options().members.generation << ' '
       << (machine.options().resumes.empty() ? 0 : machine.options().resumes.front().value) << ' '
       << machine.options().written.value << text_of(of.in_hand);
  auto& parts = proposer_parts_.emplace_back();
  auto all_parts = parts;
  parts[0] = all_parts[0] = cores_.number_of(core.str());
  for (proposer::peer peer : machine.peers()) {
    const std::uint64_t id = peer.id.value;
    peer.id = node_id();
    all_parts[id] = peers_.number_of(peer) + 1;
    // What is written again before anybody looks at it.
    const bool leads = machine.now() == proposer::phase::leading;
    if (leads || peer.in <= machine.in()) peer.in = term();
    if (leads) {
      peer.vote_given = false;
      peer.truncate_lsn = core::lsn();
      peer.history = term_history();
    }
    if (peer.now < proposer::peer::state::voted) {
      peer.flush_lsn = peer.sent = peer.truncate_lsn = core::lsn();
      peer.history = term_history();
    }
    peer.commit_lsn = core::lsn();
    parts[id] = peers_.number_of(peer) + 1;
  }
  // If a proposer had a part that is not told above, two that differ in it would be taken for one.
  if (!whole_proposers_.emplace(all_parts, known).second)
    throw std::logic_error("a proposer has parts that its accessors do not show");
  like_.push_back(like_proposers_.emplace(parts, known).first->second);
  return like_[known];
}

std::string cluster::describe(const action& of) const {
  const std::string proposer = "proposer " + std::to_string(of.proposer + 1);
  const std::string acceptor = "acceptor " + std::to_string(of.acceptor + 1);
  const std::string answer = of.answered ? ", and " + proposer + " hears its answer" : "";
  const std::string crash =
      of.crashed_after == 0 ? "" : ", which crashes after " + std::to_string(of.crashed_after) + " of its effects";
  switch (of.what) {
    case kind::connect: return proposer + " connects to " + acceptor;
    case kind::to_acceptor:
      return proposer + " -> " + acceptor + ": " + std::visit(message_text(), messages_[of.message].message) + crash +
             answer;
    case kind::flush: return acceptor + " flushes" + answer;
    case kind::crash_acceptor: return acceptor + " crashes";
    case kind::crash_proposer:
      return proposer + " crashes, and begins with generation " + std::to_string(members_at(of.message).generation);
    case kind::write: return proposer + " writes";
    case kind::heartbeat: return proposer + ": heartbeat";
    case kind::news: return "acceptor " + std::to_string(of.proposer + 1) + " tells " + acceptor + " where it stands";
    case kind::bump: return "somebody raises the term of " + acceptor;
    case kind::begin_change: return "a change of members begins";
    case kind::set_goal: {
      std::string text = "the goal of the change is set from the reports of acceptors";
      for (unsigned a = 0; a < options_.acceptors; ++a)
        if ((of.message >> a & 1) != 0) text += " " + std::to_string(a + 1);
      return text;
    }
    case kind::raise_term: return acceptor + " gets the goal's term" + crash;
    case kind::finish_change: return "the change of members is finished";
    case kind::abandon_change: return "the change of members is abandoned";
    case kind::switch_members: return acceptor + " is told the members" + crash;
  }
  return {};
}

std::string cluster::describe(const state& of) const {
  std::ostringstream text;
  for (unsigned p = 0; p < options_.proposers; ++p) {
    static constexpr const char* names[] = {"collecting", "campaigning", "leading", "superseded"};
    const proposer& machine = proposers_[of[p]].machine;
    text << "    proposer " << p + 1 << ": " << names[static_cast<int>(machine.now())] << " term " << machine.in().value
         << " start " << machine.start_lsn().value << " written " << machine.written().value << " commit "
         << machine.commit_lsn().value << " " << text_of(machine.history()) << '\n';
    for (unsigned a = 0; a < options_.acceptors; ++a) {
      const auto& under_way = sets_[of[link(p, a)]];
      if (under_way.empty()) continue;
      text << "      to acceptor " << a + 1 << ':';
      for (const number each : under_way) text << ' ' << std::visit(message_text(), messages_[each].message) << ';';
      text << '\n';
    }
  }
  for (unsigned a = 0; a < options_.acceptors; ++a) {
    const acceptor_cell& cell = acceptors_[of[acceptor_at(a)]];
    const acceptor_state& state = cell.machine.state();
    text << "    acceptor " << a + 1 << ": term " << state.in.value << " log " << text_of(cell.log) << " durable "
         << cell.synced << " commit " << state.commit_lsn.value << " " << text_of(state.history) << " generation "
         << state.members.generation << '\n';
  }
  text << "    committed: " << text_of(promises_[of[promises_at()]].committed) << '\n';
  return text.str();
}

std::string cluster::sizes() const {
  std::ostringstream text;
  text << proposers_.size() << " proposers, " << acceptors_.size() << " acceptors, " << messages_.size()
       << " messages, " << replies_.size() << " replies, " << sets_.size() << " sets of them, " << promises_.size()
       << " promises";
  return text.str();
}

}  // namespace strata::tests::model_check
