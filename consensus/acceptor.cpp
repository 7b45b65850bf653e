#include "consensus/acceptor.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace strata::consensus {

namespace {

/// Of a cluster whose size is unknown.
constexpr std::uint64_t wal_segment_size_default = 16u << 20;

core::error refused(core::errc code, std::string why) {
  return {code, "handle a proposer's message: " + std::move(why)};
}

/// 150020 -> 15
std::uint32_t major_of(std::uint32_t pg_version) { return pg_version / 10000; }

/// Both are known and differ.
bool differ(std::uint64_t one, std::uint64_t other) { return one != 0 && other != 0 && one != other; }

core::result<void> check_cluster(const cluster_identity& own, const cluster_identity& other) {
  if (differ(major_of(own.pg_version), major_of(other.pg_version)))
    return refused(core::errc::conflict, "it is of Postgres " + std::to_string(major_of(other.pg_version)) +
                                             ", the WAL here of " + std::to_string(major_of(own.pg_version)));
  if (differ(own.system_id, other.system_id))
    return refused(core::errc::conflict, "its system identifier is " + std::to_string(other.system_id) + ", not " +
                                             std::to_string(own.system_id));
  if (differ(own.wal_segment_size, other.wal_segment_size))
    return refused(core::errc::conflict, "its WAL segments have another size");
  return {};
}

}  // namespace

acceptor::acceptor(node_id self, acceptor_state state, core::lsn flush_lsn)
    : self_(self),
      state_(std::move(state)),
      write_lsn_(flush_lsn),
      flush_lsn_(flush_lsn),
      announced_commit_(state_.commit_lsn),
      persisted_commit_(state_.commit_lsn) {
  check_invariants();
}

core::result<acceptor_effects> acceptor::step(const acceptor_input& input) {
  const term term_before = state_.in;
  const core::lsn commit_before = state_.commit_lsn;
  auto effects = std::visit([this](const auto& each) { return on(each); }, input);
  core::check(state_.in >= term_before, "an acceptor's term does not descend");
  core::check(state_.commit_lsn >= commit_before, "an acceptor's commit_lsn does not descend");
  check_invariants();
  return effects;
}

core::result<acceptor_effects> acceptor::on(const greeting& message) {
  if (message.tenant != state_.tenant || message.timeline != state_.timeline)
    return refused(core::errc::conflict, "it is for another timeline");
  STRATA_TRY(check_cluster(state_.cluster, message.cluster));
  const bool newer = message.members.generation > state_.members.generation;
  if (newer) STRATA_TRY(check(message.members));
  STRATA_TRY(check_membership(newer ? message.members : state_.members));

  acceptor_effects effects;
  const acceptor_state before = state_;
  if (newer) state_.members = message.members;
  const auto learn = [](auto& own, auto told) {
    if (told != 0) own = told;
  };
  learn(state_.cluster.pg_version, message.cluster.pg_version);
  learn(state_.cluster.system_id, message.cluster.system_id);
  learn(state_.cluster.wal_segment_size, message.cluster.wal_segment_size);
  if (state_ != before) persist(effects);
  effects.push_back(send_reply{greeting_reply{self_, state_.members, state_.in}});
  return effects;
}

core::result<acceptor_effects> acceptor::on(const vote_request& message) {
  STRATA_TRY(check_generation(message.generation));
  STRATA_TRY(check_membership(state_.members));
  core::check(!owes_reply_, "what was written is flushed before a vote");
  acceptor_effects effects;
  // Durable before the reply: a vote that is forgotten could be given twice.
  const bool given = message.in > state_.in;
  if (given) {
    state_.in = message.in;
    persist(effects);
  }
  effects.push_back(send_reply{vote_reply{state_.members.generation, state_.in, given, flush_lsn_, state_.peer_horizon,
                                          state_.history.up_to(flush_lsn_)}});
  return effects;
}

core::result<acceptor_effects> acceptor::on(const elected& message) {
  STRATA_TRY(check_generation(message.generation));
  if (message.in < state_.in) return acceptor_effects();  // its proposer learns of the newer term by its first append
  if (message.history.empty() || message.history.last_term() != message.in)
    return refused(core::errc::invalid_argument, "the history does not end with the term of its proposer");
  core::check(!owes_reply_, "what was written is flushed before an election is accepted");

  const bool has_wal = state_.timeline_start.valid();
  core::lsn point = message.history.start();
  if (has_wal) {
    if (point != state_.timeline_start)
      return refused(core::errc::conflict, "its timeline begins at " + to_string(point) + ", the one here at " +
                                               to_string(state_.timeline_start));
    const core::lsn common = common_point(state_.history, flush_lsn_, message.history);
    if (common.valid()) point = common;
  }
  // A proposer that asked us before it was elected knows our log. If the points differ this message is an old one:
  // following it could cut off WAL that was acknowledged since.
  if (message.start_streaming_at != point)
    return refused(core::errc::out_of_range, "it starts at " + to_string(message.start_streaming_at) +
                                                 ", the logs are the same up to " + to_string(point));
  if (point < std::max(state_.commit_lsn, state_.local_start))
    return refused(core::errc::out_of_range, "it would cut off committed WAL from " + to_string(point) + " on");

  // The log first: WAL of an older term must never be under a history that assigns it to a newer one.
  acceptor_effects effects;
  const acceptor_state before = state_;
  if (!has_wal || write_lsn_ != point) effects.push_back(truncate_wal{point});
  write_lsn_ = flush_lsn_ = point;
  state_.in = message.in;
  state_.history = message.history;
  if (!has_wal) state_.timeline_start = state_.local_start = point;
  for (core::lsn* position : {&state_.commit_lsn, &state_.backup_lsn, &state_.peer_horizon, &state_.remote_consistent})
    *position = std::max(*position, state_.timeline_start);
  announced_commit_ = state_.commit_lsn;
  if (state_ != before) persist(effects);
  return effects;
}

core::result<acceptor_effects> acceptor::on(const append& message) {
  STRATA_TRY(check_generation(message.generation));
  if (message.end < message.begin || message.end - message.begin > append_size_max)
    return refused(core::errc::invalid_argument, "an append of an invalid length");
  acceptor_effects effects;
  if (message.in < state_.in) {
    effects.push_back(send_reply{append_reply{state_.members.generation, state_.in, {}, {}}});
    return effects;
  }
  // Having voted is not enough: only `elected` made the log a prefix of this proposer's.
  if (message.in != state_.in || message.in != state_.history.last_term())
    return refused(core::errc::invalid_argument, "an append of term " + to_string(message.in) + " before its elected");
  if (message.begin != write_lsn_)
    return refused(core::errc::out_of_range,
                   "an append at " + to_string(message.begin) + " to a log that ends at " + to_string(write_lsn_));

  announced_commit_ = std::max(announced_commit_, message.commit_lsn);
  state_.peer_horizon = std::max(state_.peer_horizon, message.truncate_lsn);
  if (message.end > message.begin) {
    effects.push_back(write_wal{message.begin, message.end});
    write_lsn_ = message.end;
    owes_reply_ = true;
  }
  advance_commit(announced_commit_, effects);
  if (!owes_reply_) effects.push_back(reply_to_append());
  return effects;
}

core::result<acceptor_effects> acceptor::on(const wal_flushed& event) {
  core::check(event.record_end >= flush_lsn_, "what was flushed stays flushed");
  core::check(event.record_end <= event.bytes_end && event.bytes_end <= write_lsn_, "only what was written is flushed");
  acceptor_effects effects;
  flush_lsn_ = event.record_end;
  advance_commit(announced_commit_, effects);
  if (owes_reply_) effects.push_back(reply_to_append());
  owes_reply_ = event.bytes_end < write_lsn_;
  return effects;
}

core::result<acceptor_effects> acceptor::on(const timeline_news& event) {
  acceptor_effects effects;
  state_.backup_lsn = std::max(state_.backup_lsn, event.backup_lsn);
  state_.peer_horizon = std::max(state_.peer_horizon, event.peer_horizon);
  state_.remote_consistent = std::max(state_.remote_consistent, event.remote_consistent);
  // Logs with the same last term are prefixes of that proposer's log. Other logs imply nothing for ours.
  if (event.last_log_term == last_log_term()) advance_commit(event.commit_lsn, effects);
  return effects;
}

core::result<acceptor_effects> acceptor::on(const switch_members& event) {
  acceptor_effects effects;
  if (event.to.generation <= state_.members.generation) return effects;
  STRATA_TRY(check(event.to));
  state_.members = event.to;
  persist(effects);
  return effects;
}

core::result<acceptor_effects> acceptor::on(const bump_term& event) {
  acceptor_effects effects;
  if (event.to > state_.in) {
    state_.in = event.to;
    persist(effects);
  }
  return effects;
}

core::result<void> acceptor::check_generation(std::uint32_t generation) const {
  if (generation != state_.members.generation)
    return refused(core::errc::conflict, "it is of generation " + std::to_string(generation) + " of the members, not " +
                                             std::to_string(state_.members.generation));
  return {};
}

core::result<void> acceptor::check_membership(const configuration& in) const {
  // Generation 0 has no members yet: the creator of the timeline vouches for it.
  if (in.generation != 0 && !in.contains(self_))
    return refused(core::errc::invalid_argument,
                   "safekeeper " + to_string(self_) + " is no member in generation " + std::to_string(in.generation));
  return {};
}

void acceptor::persist(acceptor_effects& effects) {
  persisted_commit_ = state_.commit_lsn;
  effects.push_back(persist_state{});
}

void acceptor::advance_commit(core::lsn known, acceptor_effects& effects) {
  const core::lsn before = state_.commit_lsn;
  state_.commit_lsn = std::max(before, std::min(known, flush_lsn_));
  if (state_.commit_lsn == before) return;
  const core::lsn term_begin = state_.history.entries().back().at;
  const std::uint64_t segment =
      state_.cluster.wal_segment_size != 0 ? state_.cluster.wal_segment_size : wal_segment_size_default;
  // The first condition: WAL recovered by this term's election is committed. The second: a restart reads little WAL.
  if ((before < term_begin && state_.commit_lsn >= term_begin) || state_.commit_lsn - persisted_commit_ > segment)
    persist(effects);
}

send_reply acceptor::reply_to_append() const {
  return {append_reply{state_.members.generation, state_.in, flush_lsn_, state_.commit_lsn}};
}

void acceptor::check_invariants() const {
  core::check(state_.commit_lsn <= flush_lsn_, "an acceptor's commit_lsn is not above its flush_lsn");
  core::check(flush_lsn_ <= write_lsn_, "an acceptor's flush_lsn is not above what was written");
  core::check(persisted_commit_ <= state_.commit_lsn,
              "an acceptor's durable commit_lsn is not above the one in memory");
  core::check(state_.history.last_term() <= state_.in, "an acceptor's history does not reach above its term");
  core::check(flush_lsn_.valid() == state_.timeline_start.valid(), "an acceptor has WAL if it has a timeline_start");
  core::check(state_.history.empty() || state_.history.start() == state_.timeline_start,
              "an acceptor's history begins where the timeline begins");
  core::check(state_.commit_lsn >= state_.local_start, "an acceptor's WAL begins at or before its commit_lsn");
}

}  // namespace strata::consensus
