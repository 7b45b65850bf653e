#include <algorithm>

#include "tests/model_check/cluster.hpp"

namespace strata::tests::model_check {

using namespace consensus;

namespace {

bool begins_with(const labels& log, const labels& beginning) {
  return log.size() >= beginning.size() && std::equal(beginning.begin(), beginning.end(), log.begin());
}

/// How much of what is committed stands, durable, in the log.
std::size_t held(const acceptor_cell& of, const labels& committed) {
  const std::size_t both = std::min(of.synced, committed.size());
  const auto differs =
      std::mismatch(committed.begin(), committed.begin() + static_cast<std::ptrdiff_t>(both), of.log.begin());
  return static_cast<std::size_t>(differs.first - committed.begin());
}

/// Two logs with the same last term at a position are the same up to it.
bool logs_agree(const labels& one, const labels& other) {
  bool same = true;
  for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
    if (one[i] != other[i])
      same = false;
    else if (!same)
      return false;
  }
  return true;
}

}  // namespace

void cluster::keep_promises(state& in, const proposer_step& step, const configuration& members) {
  if (!step.won && !step.committed) return;
  promises known = promises_[in[promises_at()]];
  if (step.won) {
    const std::uint64_t term_won = proposers_[step.after].machine.in().value;
    require((known.terms_won >> term_won & 1) == 0, "election safety: a term has one leader");
    // What a later term has committed meanwhile it need not have: it will not get anything acknowledged.
    const auto later = std::ranges::find_if(known.committed_in, [&](std::uint8_t in) { return in >= term_won; });
    require(begins_with(*step.won,
                        {known.committed.begin(), known.committed.begin() + (later - known.committed_in.begin())}),
            "leader completeness: who is elected has all that was committed before");
    known.terms_won |= 1u << term_won;
  }
  if (step.committed) {
    const bool further = step.committed->size() > known.committed.size();
    require(further ? begins_with(*step.committed, known.committed) : begins_with(known.committed, *step.committed),
            "log safety: what is committed is the same for everybody");
    known.committed_in.resize(std::max(known.committed.size(), step.committed->size()), 255);
    for (std::size_t i = 0; i < step.committed->size(); ++i)
      known.committed_in[i] =
          std::min(known.committed_in[i], static_cast<std::uint8_t>(proposers_[step.after].machine.in().value));
    if (further) known.committed = *step.committed;
    if (options_.change_first != 0 && members.generation == members_at(2).generation)
      known.committed_after_change = true;
  }
  in[promises_at()] = promises_.number_of(known);
}

void cluster::keep_promises(const state& in, unsigned acceptor, number after) {
  const labels& committed = promises_[in[promises_at()]].committed;
  require(held(acceptors_[after], committed) >= held(acceptors_[in[acceptor_at(acceptor)]], committed),
          "committed WAL is never cut off");
  const acceptor_cell& before = acceptors_[in[acceptor_at(acceptor)]];
  const bool cut = acceptors_[after].log.size() < before.log.size();
  goals_[static_cast<std::size_t>(goal::cut)] |= cut && acceptors_[after].synced < before.synced;
}

void cluster::check(const state& of) {
  const promises& known = promises_[of[promises_at()]];
  std::vector<node_id> holders;
  std::size_t everywhere = known.committed.size();
  core::lsn horizon;
  bool committed_everywhere = true;
  for (unsigned a = 0; a < options_.acceptors; ++a) {
    const number own = of[acceptor_at(a)];
    const acceptor_cell& cell = acceptors_[own];
    if (cell.machine.commit_lsn().valid()) {
      const std::size_t commit = cell.machine.commit_lsn() - first_position;
      require(commit <= known.committed.size() &&
                  std::equal(cell.log.begin(), cell.log.begin() + static_cast<std::ptrdiff_t>(commit),
                             known.committed.begin()),
              "log safety: what an acceptor takes for committed is committed");
    }
    const std::size_t has = held(cell, known.committed);
    if (has == known.committed.size()) holders.push_back({a + 1});
    everywhere = std::min(everywhere, has);
    horizon = std::max(horizon, cell.machine.state().peer_horizon);
    committed_everywhere &= cell.machine.state().peer_horizon == first_position + options_.positions;
    for (unsigned b = 0; b < a; ++b) {
      const number other = of[acceptor_at(b)];
      const auto [found, added] = agree_.try_emplace(std::uint64_t{own} << 32 | other);
      if (added) found->second = logs_agree(cell.log, acceptors_[other].log);
      require(found->second, "log safety: logs with the same term at a position are the same up to it");
    }
  }
  for (unsigned p = 0; p < options_.proposers; ++p) {
    const proposer& machine = proposers_[of[p]].machine;
    if (machine.now() == proposer::phase::leading) horizon = std::max(horizon, machine.truncate_lsn());
  }
  if (options_.change_first == 0) {
    require(members_at(0).is_quorum([&](node_id id) { return std::ranges::find(holders, id) != holders.end(); }),
            "a quorum has all that is committed");
    require(horizon <= first_position + everywhere, "WAL before the horizon is everywhere");
  }

  const auto reach = [this](goal which, bool is) { goals_[static_cast<std::size_t>(which)] |= is; };
  const labels& committed = known.committed;
  reach(goal::every_term_is_won, known.terms_won == (2u << options_.terms) - 2);
  reach(goal::all_is_committed, committed.size() == options_.positions);
  reach(goal::committed_everywhere, committed_everywhere);
  reach(goal::changed, known.change == 2 && known.committed_after_change);
  reach(goal::recovered, !committed.empty() && committed.front() != committed.back());
}

namespace {

/// What a state is made of, without the places. A column: an acceptor and all that is between it and the proposers.
struct canonical_form {
  using column = std::array<std::uint32_t, 2 + 2 * proposers_max>;
  std::array<column, acceptors_max> columns{};
  std::array<std::uint32_t, proposers_max> cores{};
  std::uint32_t promises = 0;
};

}  // namespace

XXH128_hash_t cluster::fingerprint(const state& of) const {
  std::array<unsigned, proposers_max> order{};
  for (unsigned p = 0; p < options_.proposers; ++p) order[p] = p;
  XXH128_hash_t least{~0ull, ~0ull};
  do {
    canonical_form form;
    for (unsigned a = 0; a < options_.acceptors; ++a) {
      canonical_form::column& filled = form.columns[a];
      filled[0] = representative(a);
      filled[1] = of[acceptor_at(a)];
      for (unsigned i = 0; i < options_.proposers; ++i) {
        filled[2 + 2 * i] = proposer_parts_[of[order[i]]][1 + a];
        filled[3 + 2 * i] = of[link(order[i], a)];
      }
    }
    std::sort(form.columns.begin(), form.columns.begin() + options_.acceptors);
    for (unsigned i = 0; i < options_.proposers; ++i) form.cores[i] = proposer_parts_[of[order[i]]][0];
    form.promises = of[promises_at()];
    const XXH128_hash_t hash = XXH3_128bits(&form, sizeof form);
    if (XXH128_cmp(&hash, &least) < 0) least = hash;
  } while (std::next_permutation(order.begin(), order.begin() + options_.proposers));
  return least;
}

}  // namespace strata::tests::model_check
