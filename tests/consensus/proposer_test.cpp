#include "consensus/proposer.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/consensus/printing.hpp"
#include "tests/support/printing.hpp"

namespace strata::consensus {

namespace {

using phase = proposer::phase;

struct fixture {
  configuration members{1, {{{1}, "h", 1}, {{2}, "h", 2}, {{3}, "h", 3}}, std::nullopt};
  proposer_options options{.tenant = {{1}},
                           .timeline = {{2}},
                           .cluster = {150020, 77, 1u << 20},
                           .members = members,
                           .timeline_start = at(8)};
  proposer machine{options};

  proposer_effects said(std::uint64_t node, acceptor_message message) {
    return machine.step(acceptor_said{{node}, std::move(message)});
  }
  proposer_effects greeted(std::uint64_t node, std::uint64_t in = 0) {
    machine.step(acceptor_connected{{node}});
    return said(node, greeting_reply{{node}, members, {in}});
  }
  proposer_effects votes(std::uint64_t node, std::uint64_t in, std::uint64_t flush = 0, const term_history& of = {},
                         bool given = true) {
    return said(node, vote_reply{members.generation, {in}, given, at(flush), at(0), of});
  }
  proposer_effects acknowledged(std::uint64_t node, std::uint64_t in, std::uint64_t flush) {
    return said(node, append_reply{members.generation, {in}, at(flush), at(0)});
  }
  /// Elected in term 1 by nodes 1 and 2, which have no WAL; node 3 is away.
  void lead() {
    greeted(1);
    greeted(2);
    votes(1, 1);
    votes(2, 1);
    BOOST_REQUIRE((machine.now() == phase::leading));
  }
  const proposer::peer& peer(std::uint64_t node) const { return machine.peers()[node - 1]; }
};

/// The effects of one type.
template <class Effect>
std::vector<Effect> all(const proposer_effects& effects) {
  std::vector<Effect> found;
  for (const proposer_effect& each : effects)
    if (const auto* effect = std::get_if<Effect>(&each)) found.push_back(*effect);
  return found;
}
/// The messages of one type to one node, or to all.
template <class Message>
std::vector<Message> sent(const proposer_effects& effects, std::uint64_t node = 0) {
  std::vector<Message> found;
  for (const send_to& each : all<send_to>(effects)) {
    if (node != 0 && each.node != node_id{node}) continue;
    if (const auto* message = std::get_if<Message>(&each.message)) found.push_back(*message);
  }
  return found;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(consensus_proposer, fixture)

BOOST_AUTO_TEST_CASE(campaigns_above_every_term_of_a_quorum) {
  const auto hello = machine.step(acceptor_connected{{1}});
  BOOST_TEST((sent<greeting>(hello, 1).at(0) == greeting{options.tenant, options.timeline, members, options.cluster}));
  BOOST_TEST(said(1, greeting_reply{{1}, members, {4}}).empty());
  const auto effects = greeted(2, 7);
  BOOST_TEST(machine.now() == phase::campaigning);
  BOOST_TEST(effects.size() == 2u);
  BOOST_TEST((sent<vote_request>(effects, 1).at(0) == vote_request{1, {8}}));
  BOOST_TEST((sent<vote_request>(effects, 2).at(0) == vote_request{1, {8}}));
  // A late one is asked at once.
  BOOST_TEST((sent<vote_request>(greeted(3, 2), 3).at(0) == vote_request{1, {8}}));
}

BOOST_AUTO_TEST_CASE(begins_where_the_timeline_does_when_nobody_has_wal) {
  greeted(1);
  greeted(2);
  BOOST_TEST(votes(1, 1).empty());
  const auto effects = votes(2, 1);
  const auto won = all<election_won>(effects);
  BOOST_REQUIRE(won.size() == 1u);
  BOOST_TEST(won[0].in == term{1});
  BOOST_TEST(won[0].start == at(8));
  for (const std::uint64_t node : {1, 2}) {
    BOOST_TEST((sent<elected>(effects, node).at(0) == elected{1, {1}, at(8), history({{1, 8}})}));
    BOOST_TEST((sent<append>(effects, node).at(0) == append{1, {1}, at(8), at(8), at(0), at(8)}));
  }
  BOOST_TEST(acknowledged(1, 1, 8).empty());
  const auto committed_effects = acknowledged(2, 1, 8);
  BOOST_TEST(all<committed>(committed_effects).at(0).to == at(8));
  BOOST_TEST(sent<append>(committed_effects, 1).at(0).commit_lsn == at(8));
}

BOOST_AUTO_TEST_CASE(the_donor_has_the_latest_term_and_then_the_most) {
  greeted(1, 3);
  greeted(2, 3);
  greeted(3, 3);
  votes(1, 4, 90, history({{1, 8}, {2, 50}}));
  const auto effects = votes(2, 4, 60, history({{1, 8}, {3, 40}}));
  const auto won = all<election_won>(effects).at(0);
  BOOST_TEST(won.donor == node_id{2});
  BOOST_TEST(won.start == at(60));
  const term_history expected = history({{1, 8}, {3, 40}, {4, 60}});
  BOOST_TEST(machine.history() == expected);
  BOOST_TEST((sent<elected>(effects, 1).at(0) == elected{1, {4}, at(40), expected}));
  BOOST_TEST((sent<elected>(effects, 2).at(0) == elected{1, {4}, at(60), expected}));
  // What the other lacks is sent at once, and ends where our own WAL begins.
  BOOST_TEST((sent<append>(effects, 1).at(0) == append{1, {4}, at(40), at(60), at(0), at(8)}));
  BOOST_TEST((sent<append>(effects, 2).at(0) == append{1, {4}, at(60), at(60), at(0), at(8)}));
  // Node 3's vote comes late; it has more of the same term, which nobody who elected us has.
  const auto late = votes(3, 4, 75, history({{1, 8}, {3, 40}}));
  BOOST_TEST((sent<elected>(late, 3).at(0) == elected{1, {4}, at(60), expected}));
}

BOOST_AUTO_TEST_CASE(entries_behind_a_log_do_not_make_its_owner_a_donor) {
  greeted(1, 3);
  greeted(2, 3);
  votes(1, 4, 20, history({{1, 8}, {3, 40}}));
  const auto effects = votes(2, 4, 50, history({{1, 8}, {2, 30}}));
  BOOST_TEST(all<election_won>(effects).at(0).donor == node_id{2});
}

BOOST_AUTO_TEST_CASE(a_lost_election_is_repeated_at_the_next_heartbeat_in_a_higher_term) {
  greeted(1);
  greeted(2);
  BOOST_TEST(machine.step(heartbeat_due{}).empty());
  votes(1, 6, 0, {}, false);
  BOOST_TEST(machine.now() == phase::collecting);
  BOOST_TEST(votes(2, 1).empty());
  auto effects = machine.step(heartbeat_due{});
  BOOST_TEST((sent<vote_request>(effects, 1).at(0) == vote_request{1, {7}}));
  BOOST_TEST((sent<vote_request>(effects, 2).at(0) == vote_request{1, {7}}));
  // A vote of before does not count.
  votes(1, 1);
  BOOST_TEST(votes(2, 7).empty());
  BOOST_TEST(machine.now() == phase::campaigning);
  // Refused in the same term: the others may still elect us, and if not, there is the next heartbeat.
  votes(1, 7, 0, {}, false);
  BOOST_TEST(machine.now() == phase::campaigning);
  effects = machine.step(heartbeat_due{});
  BOOST_TEST((sent<vote_request>(effects, 1).at(0) == vote_request{1, {8}}));
  votes(1, 8);
  votes(2, 8);
  BOOST_TEST(machine.now() == phase::leading);
  BOOST_TEST(sent<vote_request>(machine.step(heartbeat_due{})).empty());
}

BOOST_AUTO_TEST_CASE(a_vote_does_not_outlive_its_connection) {
  greeted(1);
  greeted(2);
  votes(1, 1);
  machine.step(acceptor_lost{{1}});
  BOOST_TEST(votes(2, 1).empty());
  BOOST_TEST(votes(1, 1).empty());
  BOOST_TEST(machine.now() == phase::campaigning);
}

BOOST_AUTO_TEST_CASE(a_higher_term_ends_it_for_good) {
  lead();
  const auto effects = acknowledged(1, 3, 0);
  BOOST_TEST(all<superseded>(effects).at(0).by == term{3});
  BOOST_TEST(machine.now() == phase::superseded);
  for (const proposer_input& input :
       {proposer_input(acceptor_connected{{3}}), proposer_input(heartbeat_due{}), proposer_input(wal_written{at(99)})})
    BOOST_TEST(machine.step(input).empty());
  // A greeting or a vote tells it, too.
  machine = proposer(options);
  lead();
  BOOST_TEST(all<superseded>(greeted(3, 2)).size() == 1u);
  machine = proposer(options);
  lead();
  greeted(3);
  BOOST_TEST(all<superseded>(votes(3, 2, 0, {}, false)).size() == 1u);
}

BOOST_AUTO_TEST_CASE(commits_what_a_quorum_has_made_durable_in_this_term) {
  lead();
  acknowledged(1, 1, 8);
  acknowledged(2, 1, 8);
  auto effects = machine.step(wal_written{at(100)});
  BOOST_TEST((sent<append>(effects, 1).at(0) == append{1, {1}, at(8), at(100), at(8), at(8)}));
  BOOST_TEST(acknowledged(1, 1, 50).empty());
  effects = acknowledged(2, 1, 40);
  BOOST_TEST(all<committed>(effects).at(0).to == at(40));
  // It is told at once, though there is nothing to send.
  BOOST_TEST((sent<append>(effects, 1).at(0) == append{1, {1}, at(100), at(100), at(40), at(8)}));
  BOOST_TEST(acknowledged(2, 1, 40).empty());
  // What was acknowledged counts when the connection is gone, too.
  machine.step(acceptor_lost{{1}});
  BOOST_TEST(all<committed>(acknowledged(2, 1, 100)).at(0).to == at(50));
}

BOOST_AUTO_TEST_CASE(nothing_is_committed_below_the_own_start) {
  greeted(1, 2);
  greeted(2, 2);
  votes(1, 3, 20, history({{1, 8}}));
  votes(2, 3, 60, history({{1, 8}}));
  BOOST_TEST(machine.start_lsn() == at(60));
  BOOST_TEST(acknowledged(2, 3, 60).empty());
  BOOST_TEST(acknowledged(1, 3, 40).empty());
  BOOST_TEST(machine.commit_lsn() == at(0));
  BOOST_TEST(all<committed>(acknowledged(1, 3, 60)).at(0).to == at(60));
}

BOOST_AUTO_TEST_CASE(an_acceptor_that_comes_late_is_asked_elected_and_fed) {
  lead();
  acknowledged(1, 1, 8);
  acknowledged(2, 1, 8);
  machine.step(wal_written{at(100)});
  BOOST_TEST((sent<vote_request>(greeted(3), 3).at(0) == vote_request{1, {1}}));
  auto effects = votes(3, 1);
  BOOST_TEST((sent<elected>(effects, 3).at(0) == elected{1, {1}, at(8), history({{1, 8}})}));
  BOOST_TEST((sent<append>(effects, 3).at(0) == append{1, {1}, at(8), at(100), at(8), at(8)}));
  // After a reconnect it goes on where its log ends; the vote it gave us already is no obstacle.
  machine.step(acceptor_lost{{3}});
  BOOST_TEST(sent<append>(machine.step(wal_written{at(120)}), 3).empty());
  greeted(3, 1);
  effects = votes(3, 1, 70, history({{1, 8}}), false);
  BOOST_TEST((sent<elected>(effects, 3).at(0) == elected{1, {1}, at(70), history({{1, 8}})}));
  BOOST_TEST((sent<append>(effects, 3).at(0) == append{1, {1}, at(70), at(120), at(8), at(8)}));
}

BOOST_AUTO_TEST_CASE(sends_pieces_within_the_window) {
  options.window_bytes = 3 * append_size_max;
  machine = proposer(options);
  lead();
  const std::uint64_t end = 8 + 10 * append_size_max;
  auto pieces = sent<append>(machine.step(wal_written{at(end)}), 1);
  BOOST_REQUIRE(pieces.size() == 3u);
  core::lsn expected = at(8);
  for (const append& piece : pieces) {
    BOOST_TEST(piece.begin == expected);
    BOOST_TEST(piece.end - piece.begin == append_size_max);
    expected = piece.end;
  }
  BOOST_TEST(sent<append>(acknowledged(1, 1, 8 + append_size_max)).size() == 1u);
  BOOST_TEST(sent<append>(acknowledged(1, 1, 8 + append_size_max + 100)).at(0).end - expected == append_size_max + 100);
  // No end of a record in the whole window: each answer lets more out.
  const std::uint64_t longer = end + 100 * append_size_max;
  BOOST_TEST(sent<append>(machine.step(wal_written{at(longer)}), 1).empty());
  pieces = sent<append>(acknowledged(1, 1, 8 + append_size_max + 100));
  BOOST_TEST(pieces.size() == static_cast<std::size_t>(appends_per_answer));
  BOOST_TEST(pieces.back().end - pieces.back().begin == append_size_max);
  // Once flush_lsn moves the window counts again, and more than it holds is on its way.
  BOOST_TEST(sent<append>(acknowledged(1, 1, 8 + 2 * append_size_max)).empty());
  // A sign of life is not held back.
  pieces = sent<append>(machine.step(heartbeat_due{}), 1);
  BOOST_REQUIRE(pieces.size() == 1u);
  BOOST_TEST(pieces[0].begin == pieces[0].end);
}

BOOST_AUTO_TEST_CASE(wal_is_everywhere_when_each_member_has_it_and_it_is_committed) {
  lead();
  machine.step(wal_written{at(100)});
  acknowledged(1, 1, 50);
  acknowledged(2, 1, 60);
  BOOST_TEST(machine.truncate_lsn() == at(8));
  greeted(3);
  votes(3, 1);
  acknowledged(3, 1, 20);
  BOOST_TEST(machine.truncate_lsn() == at(20));
  acknowledged(3, 1, 100);
  BOOST_TEST(machine.truncate_lsn() == at(50));
}

BOOST_AUTO_TEST_CASE(goes_on_with_its_wal_if_nobody_has_written_since) {
  options.resumes = {term{3}};
  options.written = at(80);
  machine = proposer(options);
  greeted(1, 3);
  greeted(2, 3);
  votes(1, 4, 60, history({{1, 8}, {3, 40}}));
  const auto effects = votes(2, 4, 50, history({{1, 8}, {3, 40}}));
  BOOST_TEST(all<election_won>(effects).at(0).start == at(60));
  BOOST_TEST(machine.written() == at(80));
  BOOST_TEST((sent<append>(effects, 1).at(0) == append{1, {4}, at(60), at(80), at(0), at(8)}));
}

BOOST_AUTO_TEST_CASE(goes_on_behind_any_of_its_own_terms) {
  // It was elected in 5 and saw nothing committed there: one acceptor has heard of it.
  options.resumes = {term{3}, term{5}};
  options.written = at(80);
  machine = proposer(options);
  greeted(1, 5);
  greeted(2, 5);
  votes(1, 6, 60, history({{1, 8}, {3, 40}}));
  BOOST_TEST(all<election_won>(votes(2, 6, 60, history({{1, 8}, {3, 40}, {5, 60}}))).at(0).start == at(60));
  // In 4 somebody else has written.
  machine = proposer(options);
  greeted(1, 5);
  greeted(2, 5);
  votes(1, 6, 60, history({{1, 8}, {3, 40}}));
  BOOST_TEST(all<superseded>(votes(2, 6, 60, history({{1, 8}, {3, 40}, {4, 50}}))).size() == 1u);
}

BOOST_AUTO_TEST_CASE(does_not_go_on_behind_somebody_else) {
  options.resumes = {term{3}};
  options.written = at(80);
  for (const auto& [end, last_term] : {std::pair{50, 4}, std::pair{90, 3}}) {
    machine = proposer(options);
    greeted(1, 4);
    greeted(2, 4);
    votes(1, 5, end, history({{1, 8}, {static_cast<std::uint64_t>(last_term), 40}}));
    const auto effects = votes(2, 5, 45, history({{1, 8}, {3, 40}}));
    BOOST_TEST(all<superseded>(effects).size() == 1u);
    BOOST_TEST(all<election_won>(effects).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_newer_configuration_is_the_owners_to_begin_with) {
  machine.step(acceptor_connected{{1}});
  configuration newer = members;
  newer.generation = 2;
  BOOST_TEST((all<members_changed>(said(1, greeting_reply{{1}, newer, {0}})).at(0).to == newer));
  newer.generation = 0;
  BOOST_TEST(all<drop_connection>(said(1, greeting_reply{{1}, newer, {0}})).size() == 1u);
}

BOOST_AUTO_TEST_CASE(drops_those_that_make_no_sense) {
  machine.step(acceptor_connected{{1}});
  BOOST_TEST(all<drop_connection>(said(1, greeting_reply{{2}, members, {0}})).size() == 1u);
  greeted(1);
  greeted(2);
  BOOST_TEST(all<drop_connection>(votes(1, 1, 20, {})).size() == 1u);
  BOOST_TEST(all<drop_connection>(votes(1, 1, 20, history({{1, 8}}))).size() == 1u);
  BOOST_TEST(all<drop_connection>(said(1, vote_reply{2, {1}, true, at(0), at(0), {}})).size() == 1u);
  votes(1, 1);
  votes(2, 1);
  BOOST_TEST(all<drop_connection>(acknowledged(1, 1, 9)).size() == 1u);
  BOOST_TEST(all<drop_connection>(acknowledged(1, 0, 8)).size() == 1u);
  BOOST_TEST(all<drop_connection>(said(1, append_reply{2, {1}, at(8), at(8)})).size() == 1u);
  BOOST_TEST(machine.commit_lsn() == at(0));
  // Less than it acknowledged, or more than there is.
  machine.step(wal_written{at(50)});
  acknowledged(1, 1, 50);
  machine.step(acceptor_lost{{1}});
  greeted(1, 1);
  BOOST_TEST(all<drop_connection>(votes(1, 1, 40, history({{1, 8}}), false)).size() == 1u);
  greeted(3, 1);
  BOOST_TEST(all<drop_connection>(votes(3, 1, 60, history({{1, 8}}), false)).size() == 1u);
  // Unknown nodes and messages nobody waits for.
  BOOST_TEST(machine.step(acceptor_connected{{9}}).empty());
  BOOST_TEST(machine.step(acceptor_lost{{9}}).empty());
  BOOST_TEST(votes(2, 1).empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(consensus_proposer_changing_members)

BOOST_AUTO_TEST_CASE(needs_a_majority_of_both_sets) {
  fixture of;
  of.members = {2, {{{1}, "h", 1}, {{2}, "h", 2}, {{3}, "h", 3}}, {{{{3}, "h", 3}, {{4}, "h", 4}, {{5}, "h", 5}}}};
  of.options.members = of.members;
  of.machine = proposer(of.options);
  of.greeted(1);
  of.greeted(2);
  BOOST_TEST(of.greeted(3).empty());
  BOOST_TEST(sent<vote_request>(of.greeted(4)).size() == 4u);
  of.votes(1, 1);
  of.votes(2, 1);
  of.votes(3, 1);
  BOOST_TEST(of.machine.now() == phase::campaigning);
  of.votes(4, 1);
  BOOST_TEST(of.machine.now() == phase::leading);
  of.machine.step(wal_written{at(50)});
  of.acknowledged(1, 1, 50);
  of.acknowledged(2, 1, 50);
  of.acknowledged(4, 1, 50);
  BOOST_TEST(of.machine.commit_lsn() == at(0));
  of.acknowledged(3, 1, 50);
  BOOST_TEST(of.machine.commit_lsn() == at(50));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::consensus
