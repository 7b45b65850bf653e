#include "tests/model_check/cluster.hpp"

#include <algorithm>

namespace strata::tests::model_check {

using namespace consensus;
using kind = action::kind;

namespace {

// Keys of inputs that are no message.
constexpr std::uint32_t heartbeat_key = 0xffffffff;
constexpr std::uint32_t write_key = 0xfffffffe;
constexpr std::uint32_t bump_key = 0xffffffff;
constexpr std::uint32_t switch_key = 0xfffffff0;
constexpr std::uint32_t raise_key = 0xffffffe0;

constexpr std::uint64_t key_of(std::uint32_t one, std::uint32_t other) { return std::uint64_t{one} << 32 | other; }
node_id node_of(unsigned acceptor) { return {acceptor + 1}; }
unsigned acceptor_of(node_id node) { return static_cast<unsigned>(node.value - 1); }

std::vector<member> members_between(unsigned first, unsigned last) {
  std::vector<member> made;
  for (unsigned acceptor = first; acceptor < last; ++acceptor) made.push_back({node_of(acceptor), "", 1});
  return made;
}

bool begins(const proposer& of) {
  return std::ranges::all_of(of.peers(), [](const auto& peer) { return peer.now == proposer::peer::state::away; });
}

/// The term a message to an acceptor is of; none of a greeting.
std::uint64_t term_of(const proposer_message& message) {
  if (const auto* vote = std::get_if<vote_request>(&message)) return vote->in.value;
  if (const auto* won = std::get_if<elected>(&message)) return won->in.value;
  if (const auto* piece = std::get_if<append>(&message)) return piece->in.value;
  return 0;
}

}  // namespace

cluster::cluster(const cluster_options& options) : options_(options) {
  if (options.proposers > proposers_max || options.acceptors > acceptors_max)
    throw std::invalid_argument("too many proposers or acceptors");
  sets_.number_of({});
}

configuration cluster::members_at(unsigned change) const {
  if (options_.change_first == 0) return {1, members_between(0, options_.acceptors), std::nullopt};
  const configuration before{1, members_between(0, options_.change_first), std::nullopt};
  if (change == 0) return before;
  const configuration both = *begin_change(before, members_between(options_.change_last - 1, options_.acceptors));
  if (change == 1) return both;
  return change == 2 ? consensus::finish_change(both) : consensus::abandon_change(both);
}

unsigned cluster::representative(unsigned acceptor) const {
  if (options_.change_first == 0) return 0;
  const auto sets = [&](unsigned of) { return std::pair(of < options_.change_first, of + 1 >= options_.change_last); };
  unsigned first = 0;
  while (sets(first) != sets(acceptor)) ++first;
  return first;
}

state cluster::first() const {
  state made{};
  auto& self = const_cast<cluster&>(*this);
  const configuration members = members_at(0);
  const cluster_identity identity{150000, 1, 1};
  proposer_options proposes{.tenant = {},
                            .timeline = {},
                            .cluster = identity,
                            .members = members,
                            .timeline_start = first_position,
                            .window_bytes = options_.window};
  for (unsigned p = 0; p < options_.proposers; ++p) made[p] = self.proposer_number({proposer(proposes), {}});
  for (unsigned a = 0; a < options_.acceptors; ++a) {
    acceptor_state blank{.cluster = identity};
    if (members.contains(node_of(a))) blank.members = members;
    made[acceptor_at(a)] =
        self.acceptors_.number_of({acceptor(node_of(representative(a)), blank, {}), blank, {}, 0, {}});
  }
  made[promises_at()] = self.promises_.number_of({});
  return made;
}

// -- what one part does with an input, worked out once ----------------------------------------------------------------

cluster::number cluster::with(number set, number message) {
  const auto [found, added] = sets_with_.try_emplace(key_of(set, message));
  if (!added) return found->second;
  // In the order of their kinds, and of each kind the newest at the end.
  std::vector<number> kept = sets_[set];
  std::erase(kept, message);
  const auto kind_of = [this](number of) { return messages_[of].message.index(); };
  const auto [first, last] = std::ranges::equal_range(kept, kind_of(message), {}, kind_of);
  const bool is_append = std::holds_alternative<append>(messages_[message].message);
  const bool full = static_cast<std::size_t>(last - first) >= (is_append ? options_.appends_kept : 1);
  const auto place = kept.insert(last, message);
  if (full) kept.erase(place - (last - first));
  return found->second = sets_.number_of(kept);
}

std::vector<cluster::acceptor_step> cluster::numbered(const std::vector<acceptor_outcome>& outcomes) {
  std::vector<acceptor_step> steps;
  for (const acceptor_outcome& each : outcomes) {
    acceptor_step step{acceptors_.number_of(each.after), {}, static_cast<std::uint8_t>(each.crashed_after)};
    if (each.reply) step.reply = replies_.number_of(*each.reply);
    steps.push_back(step);
  }
  return steps;
}

const std::vector<cluster::acceptor_step>& cluster::delivered(number acceptor, number message) {
  const auto [found, added] = delivered_.try_emplace(key_of(acceptor, message));
  if (added) found->second = numbered(deliver(acceptors_[acceptor], messages_[message], !options_.flushes_apart));
  return found->second;
}

const std::vector<cluster::acceptor_step>& cluster::happened(number acceptor, const acceptor_input& event, number key) {
  const auto [found, added] = happened_.try_emplace(key_of(acceptor, key));
  if (added) found->second = numbered(tell(acceptors_[acceptor], event));
  return found->second;
}

cluster::proposer_step cluster::numbered(const proposer_outcome& outcome) {
  proposer_step step;
  step.after = proposer_number(outcome.after);
  for (const auto& [node, message] : outcome.sent) {
    proposer_wire told = message;
    if (auto* piece = std::get_if<append>(&told.message); piece != nullptr && !options_.horizons)
      piece->truncate_lsn = core::lsn();
    step.sent.emplace_back(acceptor_of(node), messages_.number_of(told));
  }
  for (const node_id node : outcome.dropped) step.dropped.push_back(static_cast<std::uint8_t>(acceptor_of(node)));
  step.began_again = outcome.began_again;
  step.superseded = outcome.superseded;
  step.won = outcome.won;
  step.committed = outcome.committed;
  return step;
}

const cluster::proposer_step& cluster::stepped(number proposer, const proposer_input& input, number key) {
  const auto [found, added] = stepped_.try_emplace(key_of(proposer, key));
  if (added) found->second = numbered(advance(proposers_[proposer], input));
  return found->second;
}

const cluster::proposer_step& cluster::heard(number proposer, unsigned acceptor, number reply) {
  return stepped(proposer, acceptor_said{node_of(acceptor), replies_[reply]}, reply * acceptors_max + acceptor);
}

const cluster::connection& cluster::connected(number proposer, unsigned acceptor, number to) {
  const auto [found, added] = connected_.try_emplace((std::uint64_t{proposer} << 32 | to) * acceptors_max + acceptor);
  if (!added) return found->second;
  connection& made = found->second;
  const node_id node = node_of(acceptor);
  proposer_cell begun = proposers_[proposer];
  begun.machine.step(acceptor_lost{node});
  proposer_outcome greets = advance(begun, acceptor_connected{node});
  if (greets.sent.size() != 1) return made;
  auto answers = deliver(acceptors_[to], greets.sent.front().second, true);
  if (answers.empty()) return made;
  auto reply = std::get<greeting_reply>(*answers.back().reply);
  require(reply.from == node_of(representative(acceptor)), "a greeting is answered with the own name");
  reply.from = node;
  acceptor_cell reached = answers.back().after;
  proposer_outcome knows = advance(greets.after, acceptor_said{node, reply});
  // A proposer that leads asks for the vote only to learn the log: nothing can come between that matters.
  if (knows.after.machine.now() == proposer::phase::leading && knows.sent.size() == 1) {
    answers = deliver(reached, knows.sent.front().second, true);
    if (answers.empty()) return made;
    reached = answers.back().after;
    knows = advance(knows.after, acceptor_said{node, *answers.back().reply});
  }
  made.acceptor_after = acceptors_.number_of(reached);
  made.step = numbered(knows);
  return made;
}

// -- the cluster's steps ----------------------------------------------------------------------------------------------

bool cluster::apply(state& to, unsigned proposer, const proposer_step& step) {
  if (proposers_[step.after].machine.in().value > options_.terms) return false;
  keep_promises(to, step, proposers_[to[proposer]].machine.options().members);
  to[proposer] = step.after;
  if (step.began_again) forget_messages(to, proposer);
  for (const auto& [acceptor, message] : step.sent) {
    number& set = to[link(proposer, acceptor)];
    set = with(set, message);
  }
  for (unsigned a = 0; a < options_.acceptors; ++a) forget_dead_messages(to, proposer, a);
  return true;
}

void cluster::apply(state& to, unsigned acceptor, const acceptor_step& step) {
  keep_promises(to, acceptor, step.after);
  to[acceptor_at(acceptor)] = step.after;
  for (unsigned p = 0; p < options_.proposers; ++p) forget_dead_messages(to, p, acceptor);
}

void cluster::forget_messages(state& in, unsigned proposer) const {
  for (unsigned a = 0; a < options_.acceptors; ++a) in[link(proposer, a)] = 0;
}

bool cluster::leads(number proposer, term in) const {
  const consensus::proposer& machine = proposers_[proposer].machine;
  return machine.now() == proposer::phase::leading && machine.in() == in;
}

void cluster::forget_dead_messages(state& in, unsigned proposer, unsigned acceptor) {
  number& set = in[link(proposer, acceptor)];
  if (set == 0) return;
  const consensus::proposer& machine = proposers_[in[proposer]].machine;
  const term sender = machine.in();
  const auto peer = std::ranges::find(machine.peers(), node_of(acceptor), &proposer::peer::id);
  const bool voted = peer != machine.peers().end() && peer->now >= proposer::peer::state::voted;
  const number to = in[acceptor_at(acceptor)];
  const auto [found, added] = without_dead_.try_emplace(key_of(set, to) * 16 + sender.value * 2 + (voted ? 1 : 0));
  if (added) found->second = without_dead(set, to, sender, voted);
  set = found->second;
}

/// Messages that nothing can come of any more, as the rules say, and nothing comes of now, as the machine says: so a
/// machine that breaks the rules still gets to see them.
cluster::number cluster::without_dead(number set, number acceptor, term sender, bool voted) {
  const acceptor_cell& to = acceptors_[acceptor];
  std::vector<number> kept;
  std::optional<number> probe;
  for (const number each : sets_[set]) {
    const proposer_message& message = messages_[each].message;
    const std::uint64_t in = term_of(message);
    const std::uint64_t own = to.durable.in.value;
    bool dead = false;
    if (in != sender.value) {
      // Whoever sent it does not hear the answer any more.
      dead = in < own || (in == own && std::holds_alternative<vote_request>(message));
    } else if (std::holds_alternative<vote_request>(message)) {
      dead = voted && in <= own;
    } else if (in < own) {
      dead = true;
    } else if (in == own && to.durable.history.last_term().value == in) {
      const core::lsn durable = first_position + to.synced;
      if (const auto* piece = std::get_if<append>(&message)) dead = piece->begin < durable;
      if (const auto* won = std::get_if<elected>(&message)) dead = won->start_streaming_at < durable;
    }
    if (dead) {
      const auto& steps = delivered(acceptor, each);
      const auto inert = [&](const acceptor_step& step) { return step.after == acceptor; };
      dead = std::ranges::all_of(steps, inert);
      // All appends of the past are answered alike, with the newer term: one stands for them.
      const auto* piece = std::get_if<append>(&message);
      if (dead && piece != nullptr && in == sender.value && in < own) {
        probe = messages_.number_of({append{piece->generation, piece->in, {}, {}, {}, {}}, {}});
        continue;
      }
      if (dead) continue;
    }
    kept.push_back(each);
  }
  const number set_kept = sets_.number_of(kept);
  return probe ? with(set_kept, *probe) : set_kept;
}

void cluster::for_each_next(const state& from, const visitor& visit) {
  for (unsigned p = 0; p < options_.proposers; ++p) proposer_steps(from, p, visit);
  for (unsigned a = 0; a < options_.acceptors; ++a) acceptor_steps(from, a, visit);
  if (options_.change_first != 0) member_steps(from, visit);
}

bool cluster::connect(state& in, unsigned p, unsigned a) {
  const connection& made = connected(in[p], a, in[acceptor_at(a)]);
  if (!made.step) return true;
  apply(in, a, {made.acceptor_after, {}, 0});
  return apply(in, p, *made.step);
}

void cluster::proposer_steps(const state& from, unsigned p, const visitor& visit) {
  const number own = from[p];
  const proposer& machine = proposers_[own].machine;
  const auto go = [&](const action& by, const proposer_step& step) {
    state next = from;
    if (apply(next, p, step) && next != from) visit(by, next);
  };
  const auto place = static_cast<std::uint8_t>(p);
  if (begins(machine) && !options_.connects_singly) {
    // The quorum that answers first decides on the term. Who can't be reached is one whose messages never arrive.
    for (unsigned last = 0; last < options_.acceptors; ++last) {
      state next = from;
      bool within = true;
      for (unsigned i = 1; i <= options_.acceptors && within; ++i)
        within = connect(next, p, (last + i) % options_.acceptors);
      if (within) visit({kind::connect, place, static_cast<std::uint8_t>(last)}, next);
    }
  } else {
    for (const proposer::peer& peer : machine.peers()) {
      if (!options_.reconnects && peer.now != proposer::peer::state::away) continue;
      if (!options_.connects_singly && machine.now() != proposer::phase::leading) continue;
      state next = from;
      if (connect(next, p, acceptor_of(peer.id)) && next != from)
        visit({kind::connect, place, static_cast<std::uint8_t>(acceptor_of(peer.id))}, next);
    }
  }
  go({kind::heartbeat, place}, stepped(own, heartbeat_due{}, heartbeat_key));
  const core::lsn end = first_position + options_.positions;
  if (machine.now() == proposer::phase::leading && machine.written() < end)
    go({kind::write, place}, stepped(own, wal_written{machine.written() + 1}, write_key));
  if (options_.proposer_crashes) {
    const unsigned last = promises_[from[promises_at()]].change;
    for (unsigned change = 0; change <= last; ++change) {
      if (change == 2 && last == 3) continue;
      const number started = proposer_number(fresh(proposers_[own], members_at(change)));
      if (started == own) continue;
      go({.what = kind::crash_proposer, .proposer = place, .message = change}, {.after = started, .began_again = true});
    }
  }
}

void cluster::go(const state& from, action by, unsigned a, const acceptor_step& step, std::optional<unsigned> p,
                 const visitor& visit) {
  state next = from;
  apply(next, a, step);
  const bool answered = p && step.reply;
  if (next != from && (!answered || options_.replies_lost)) visit(by, next);
  if (!answered) return;
  by.answered = true;
  by.proposer = static_cast<std::uint8_t>(*p);
  const proposer_step& hears = heard(from[*p], a, *step.reply);
  const bool to_append = std::holds_alternative<append_reply>(replies_[*step.reply]);
  goals_[static_cast<std::size_t>(goal::superseded)] |= hears.superseded && to_append;
  state heard_too = next;
  if (apply(heard_too, *p, hears) && heard_too != (options_.replies_lost ? next : from)) visit(by, heard_too);
}

void cluster::acceptor_steps(const state& from, unsigned a, const visitor& visit) {
  const number own = from[acceptor_at(a)];
  const auto place = static_cast<std::uint8_t>(a);
  for (unsigned p = 0; p < options_.proposers; ++p) {
    for (const number message : sets_[from[link(p, a)]]) {
      for (const acceptor_step& step : delivered(own, message))
        if (step.crashed_after == 0 || options_.acceptor_crashes)
          go(from, {kind::to_acceptor, static_cast<std::uint8_t>(p), place, step.crashed_after, false, message}, a,
             step, p, visit);
    }
  }
  const acceptor_cell& cell = acceptors_[own];
  if (cell.synced < cell.log.size()) {
    // The answer goes to whoever sent the WAL, if it is still there.
    const acceptor_step& step = flushed(own);
    std::optional<unsigned> waits;
    for (unsigned p = 0; p < options_.proposers && step.reply; ++p)
      if (leads(from[p], std::get<append_reply>(replies_[*step.reply]).in)) waits = p;
    go(from, {kind::flush, 0, place}, a, step, waits, visit);
  }
  if (options_.acceptor_crashes && options_.flushes_apart)
    go(from, {kind::crash_acceptor, 0, place}, a, restarted(own), std::nullopt, visit);
  if (options_.news) {
    for (unsigned teller = 0; teller < options_.acceptors; ++teller) {
      if (teller == a) continue;
      const number other = from[acceptor_at(teller)];
      const acceptor& says = acceptors_[other].machine;
      const timeline_news told{says.last_log_term(), says.commit_lsn(), {}, says.state().peer_horizon, {}};
      go(from, {kind::news, static_cast<std::uint8_t>(teller), place}, a, happened(own, told, other).back(),
         std::nullopt, visit);
    }
  }
  const term higher = cell.machine.state().in.next();
  if (options_.bumps && higher.value <= options_.terms)
    go(from, {kind::bump, 0, place}, a, happened(own, bump_term{higher}, bump_key).back(), std::nullopt, visit);
}

state cluster::with(const state& from, const promises& changed) {
  state next = from;
  next[promises_at()] = promises_.number_of(changed);
  return next;
}

std::vector<member_log> cluster::reports_of(const state& in, std::uint32_t acceptors) const {
  std::vector<member_log> reports;
  for (unsigned a = 0; a < options_.acceptors; ++a) {
    if ((acceptors >> a & 1) == 0) continue;
    const acceptor_cell& cell = acceptors_[in[acceptor_at(a)]];
    reports.push_back({node_of(a),
                       cell.durable.members.generation,
                       cell.durable.in,
                       {cell.machine.last_log_term(), first_position + cell.synced}});
  }
  return reports;
}

/// What the driver of the change does next, whoever answers it.
void cluster::follow_change(const state& from, const visitor& visit) {
  const promises& known = promises_[from[promises_at()]];
  const configuration both = members_at(1);
  const std::uint32_t everybody = (1u << options_.acceptors) - 1;
  const auto decided = [&](std::uint32_t answering) {
    return decide_change(both, known.change_goal, {}, reports_of(from, answering));
  };
  if (!known.change_goal) {
    for (std::uint32_t answering = 1; answering <= everybody >> (options_.acceptors - options_.change_first);
         ++answering) {
      promises changed = known;
      changed.change_goal = decided(answering).goal;
      if (changed.change_goal) visit({.what = kind::set_goal, .message = answering}, with(from, changed));
    }
    return;
  }
  const change_decision with_all = decided(everybody);
  for (const node_id node : with_all.below_term) {
    const unsigned a = acceptor_of(node);
    const term raised = known.change_goal->in;
    const auto key = raise_key + static_cast<std::uint32_t>(raised.value);
    for (const acceptor_step& step : happened(from[acceptor_at(a)], bump_term{raised}, key))
      go(from, {kind::raise_term, 0, static_cast<std::uint8_t>(a), step.crashed_after}, a, step, std::nullopt, visit);
  }
  // One that answers can't make it wait: with everybody's report it ends as early as with anybody's.
  if (with_all.next == change_step::finish) {
    promises changed = known;
    changed.change = 2;
    changed.change_goal.reset();
    visit({kind::finish_change}, with(from, changed));
  }
}

void cluster::member_steps(const state& from, const visitor& visit) {
  const promises& known = promises_[from[promises_at()]];
  const auto change_to = [&](kind what, std::uint8_t change) {
    promises changed = known;
    changed.change = change;
    changed.change_goal.reset();
    visit({what}, with(from, changed));
  };
  if (known.change == 0) change_to(kind::begin_change, 1);
  if (known.change == 1) {
    follow_change(from, visit);
    change_to(kind::abandon_change, 3);
  }
  for (unsigned a = 0; a < options_.acceptors; ++a) {
    const number own = from[acceptor_at(a)];
    // What was told earlier may come late.
    for (unsigned change = 0; change <= known.change; ++change) {
      if (change == 2 && known.change == 3) continue;
      for (const acceptor_step& step : happened(own, switch_members{members_at(change)}, switch_key + change))
        go(from, {kind::switch_members, 0, static_cast<std::uint8_t>(a), step.crashed_after, false, change}, a, step,
           std::nullopt, visit);
    }
  }
}

const cluster::acceptor_step& cluster::flushed(number acceptor) {
  const auto [found, added] = flushed_.try_emplace(acceptor);
  if (added) found->second = numbered({flush(acceptors_[acceptor])}).front();
  return found->second;
}

const cluster::acceptor_step& cluster::restarted(number acceptor) {
  const auto [found, added] = restarted_.try_emplace(acceptor);
  if (added) found->second = {acceptors_.number_of(restart(acceptors_[acceptor])), {}, 0};
  return found->second;
}

}  // namespace strata::tests::model_check
