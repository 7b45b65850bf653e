#include "tests/model_check/cells.hpp"

#include <algorithm>

namespace strata::tests::model_check {

using namespace consensus;

void require(bool holds, const char* what) {
  if (!holds) throw violation(what);
}

labels labels_of(const term_history& history, core::lsn end) {
  labels made;
  for (core::lsn at = first_position; at < end; at = at + 1) {
    made.push_back(0);
    for (const term_start& entry : history.entries())
      if (entry.at <= at) made.back() = static_cast<std::uint8_t>(entry.in.value);
  }
  return made;
}

// -- acceptor ---------------------------------------------------------------------------------------------------------

namespace {

void check(const acceptor_cell& of) {
  const acceptor_state& state = of.machine.state();
  const bool has_wal = state.timeline_start.valid();
  require(of.machine.write_lsn() == (has_wal ? end_of(of.log) : core::lsn()), "write_lsn is the end of the log");
  require(of.machine.flush_lsn() == (has_wal ? first_position + of.synced : core::lsn()),
          "flush_lsn is the end of what is durable");
  require(of.log == labels_of(state.history, of.machine.write_lsn()), "the history says who wrote each position");
  require(of.machine.commit_lsn() >= std::min(of.told, of.machine.flush_lsn()),
          "an acceptor knows to be committed what it was told and has");
  if (has_wal) {
    const core::lsn begin = state.history.entries().back().at;
    require(of.machine.commit_lsn() < begin || of.durable.commit_lsn >= begin,
            "that a term's beginning is committed is made durable");
    require(of.machine.commit_lsn() - of.durable.commit_lsn <= state.cluster.wal_segment_size,
            "the durable commit_lsn is at most a segment behind");
  }
}

/// Effects in their order, up to `count`.
void carry_out(acceptor_cell& on, const acceptor_effects& effects, std::size_t count, const labels& wal,
               std::optional<acceptor_message>& reply) {
  for (std::size_t i = 0; i < count; ++i) {
    if (std::holds_alternative<persist_state>(effects[i])) {
      require(on.machine.state().commit_lsn >= on.durable.commit_lsn, "a durable commit_lsn does not descend");
      on.durable = on.machine.state();
    } else if (const auto* cut = std::get_if<truncate_wal>(&effects[i])) {
      if (!on.durable.timeline_start.valid()) on.log.clear();
      require(cut->to <= end_of(on.log), "a log is not cut behind its end");
      on.log.resize(cut->to - first_position);
      on.synced = std::min(on.synced, on.log.size());
    } else if (const auto* written = std::get_if<write_wal>(&effects[i])) {
      require(written->begin == end_of(on.log) && written->end - written->begin == wal.size(),
              "WAL is written at the end of the log");
      on.log.insert(on.log.end(), wal.begin(), wal.end());
    } else {
      reply = std::get<send_reply>(effects[i]).message;
    }
  }
}

std::vector<acceptor_outcome> take(const acceptor_cell& to, const acceptor_input& input, const labels& wal) {
  acceptor_cell stepped = to;
  const auto effects = stepped.machine.step(input);
  if (!effects) {
    require(stepped == to, "a refused message changes nothing");
    return {};
  }
  // What a refused message must not do is not told: an append of an older term is answered, but not taken.
  if (const auto* message = std::get_if<append>(&input); message != nullptr && message->in == to.machine.state().in)
    stepped.told = std::max(stepped.told, message->commit_lsn);
  if (const auto* message = std::get_if<elected>(&input); message != nullptr && message->in >= to.machine.state().in)
    stepped.told = core::lsn();

  std::vector<acceptor_outcome> outcomes;
  for (std::size_t count = 1; count < effects->size(); ++count) {
    // Nothing that lasts was done since the point before.
    if (std::holds_alternative<write_wal>((*effects)[count - 1])) continue;
    acceptor_outcome crashed{stepped, {}, static_cast<unsigned>(count)};
    carry_out(crashed.after, *effects, count, wal, crashed.reply);
    crashed.after = restart(crashed.after);
    outcomes.push_back(std::move(crashed));
  }
  acceptor_outcome done{std::move(stepped), {}};
  carry_out(done.after, *effects, effects->size(), wal, done.reply);
  if (done.after.told <= done.after.machine.commit_lsn()) done.after.told = core::lsn();
  check(done.after);
  outcomes.push_back(std::move(done));
  return outcomes;
}

}  // namespace

std::vector<acceptor_outcome> deliver(const acceptor_cell& to, const proposer_wire& message, bool flushes) {
  const bool needs_flush =
      std::holds_alternative<vote_request>(message.message) || std::holds_alternative<elected>(message.message);
  if (needs_flush && to.synced < to.log.size()) return {};
  auto outcomes =
      take(to, std::visit([](const auto& each) { return acceptor_input(each); }, message.message), message.wal);
  if (flushes && std::holds_alternative<append>(message.message) && !outcomes.empty() &&
      outcomes.back().after.synced < outcomes.back().after.log.size())
    outcomes.back() = flush(outcomes.back().after);
  return outcomes;
}

acceptor_outcome flush(const acceptor_cell& of) {
  acceptor_cell flushed = of;
  flushed.synced = flushed.log.size();
  const core::lsn end = end_of(flushed.log);
  return take(flushed, wal_flushed{end, end}, {}).back();
}

acceptor_cell restart(const acceptor_cell& of) {
  acceptor_cell started{acceptor(of.machine.self(), of.durable,
                                 of.durable.timeline_start.valid() ? first_position + of.synced : core::lsn()),
                        of.durable, of.log, of.synced, core::lsn()};
  started.log.resize(started.synced);
  check(started);
  return started;
}

std::vector<acceptor_outcome> tell(const acceptor_cell& to, const acceptor_input& event) {
  auto outcomes = take(to, event, {});
  if (const auto* bump = std::get_if<bump_term>(&event))
    require(outcomes.back().after.durable.in >= bump->to, "a term that was raised stays raised");
  if (const auto* members = std::get_if<switch_members>(&event))
    require(outcomes.back().after.durable.members.generation >= members->to.generation, "new members stay known");
  return outcomes;
}

// -- proposer ---------------------------------------------------------------------------------------------------------

namespace {

labels part(const labels& of, core::lsn begin, core::lsn end) {
  return {of.begin() + static_cast<std::ptrdiff_t>(begin - first_position),
          of.begin() + static_cast<std::ptrdiff_t>(end - first_position)};
}

proposer_wire wire_of(const proposer& from, const proposer_message& message) {
  const auto* piece = std::get_if<append>(&message);
  if (piece == nullptr) return {message, {}};
  require(piece->begin <= piece->end && piece->end <= from.written(), "a proposer sends the WAL it has");
  require(piece->begin >= from.start_lsn() || piece->end <= from.start_lsn(),
          "no append has bytes of before and after the own start");
  return {message, part(labels_of(from.history(), piece->end), piece->begin, piece->end)};
}

/// With newer members the same writer goes on, if it has committed anything.
proposer_cell with_members(const proposer_cell& of, const configuration& to) {
  proposer_options options = of.machine.options();
  options.members = to;
  const proposer& was = of.machine;
  if (was.now() != proposer::phase::leading) return {proposer(options), of.in_hand};
  options.resumes.clear();
  options.written = core::lsn();
  if (!was.commit_lsn().valid()) return {proposer(options), {}};
  options.resumes = {was.in()};
  options.written = was.written();
  return {proposer(options), labels_of(was.history(), was.written())};
}

}  // namespace

proposer_outcome advance(const proposer_cell& of, const proposer_input& input) {
  proposer_outcome out{.after = of};
  proposer& machine = out.after.machine;
  const proposer_effects effects = machine.step(input);
  for (const proposer_effect& effect : effects) {
    if (const auto* message = std::get_if<send_to>(&effect)) {
      out.sent.emplace_back(message->node, wire_of(machine, message->message));
    } else if (const auto* won = std::get_if<election_won>(&effect)) {
      require(machine.now() == proposer::phase::leading && won->in == machine.in(), "who has won leads");
      out.won = labels_of(machine.history(), won->start);
      require(machine.written() == (machine.options().resumes.empty() ? won->start : machine.options().written),
              "who is elected goes on with all of its WAL");
      if (!machine.options().resumes.empty()) {
        require(end_of(of.in_hand) >= won->start && *out.won == part(of.in_hand, first_position, won->start),
                "who resumes goes on behind its own WAL");
      }
    } else if (const auto* survives = std::get_if<committed>(&effect)) {
      require(survives->to == machine.commit_lsn(), "what is said to be committed is commit_lsn");
      out.committed = labels_of(machine.history(), survives->to);
    } else if (const auto* dropped = std::get_if<drop_connection>(&effect)) {
      out.dropped.push_back(dropped->node);
    } else if (const auto* newer = std::get_if<members_changed>(&effect)) {
      out.after = with_members(out.after, newer->to);
      out.began_again = true;
      return out;
    } else {
      out.after = fresh(out.after, configuration(machine.options().members));
      out.began_again = out.superseded = true;
      return out;
    }
  }
  for (const node_id node : out.dropped) machine.step(acceptor_lost{node});
  return out;
}

proposer_cell fresh(const proposer_cell& like, const configuration& members) {
  proposer_options options = like.machine.options();
  options.members = members;
  options.resumes.clear();
  options.written = core::lsn();
  return {proposer(options), {}};
}

}  // namespace strata::tests::model_check
