#include "consensus/acceptor.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/consensus/printing.hpp"
#include "tests/support/printing.hpp"

namespace strata::consensus {

namespace {

constexpr std::uint32_t segment = 1u << 20;

struct fixture {
  configuration members{1, {{{1}, "h", 1}, {{2}, "h", 2}, {{3}, "h", 3}}, std::nullopt};
  acceptor_state blank{.tenant = {{1}}, .timeline = {{2}}, .cluster = {150020, 77, segment}, .members = members};
  acceptor machine{{1}, blank, {}};

  acceptor_effects step(const acceptor_input& input) {
    auto effects = machine.step(input);
    BOOST_REQUIRE_MESSAGE(effects.has_value(), "refused: " << (effects ? "" : effects.error().detail));
    return *effects;
  }
  /// And nothing has changed.
  core::errc refused(const acceptor_input& input) {
    const acceptor before = machine;
    const auto effects = machine.step(input);
    BOOST_REQUIRE(!effects.has_value());
    BOOST_TEST((machine == before));
    return effects.error().code;
  }
  /// Where the persist is, and the rest.
  template <class Effect>
  static int index_of(const acceptor_effects& effects) {
    for (std::size_t i = 0; i < effects.size(); ++i)
      if (std::holds_alternative<Effect>(effects[i])) return static_cast<int>(i);
    return -1;
  }
  template <class Message>
  static Message reply(const acceptor_effects& effects) {
    BOOST_REQUIRE(!effects.empty());
    const auto* sent = std::get_if<send_reply>(&effects.back());
    BOOST_REQUIRE(sent != nullptr);
    BOOST_REQUIRE(std::holds_alternative<Message>(sent->message));
    return std::get<Message>(sent->message);
  }
  greeting hello() const { return {blank.tenant, blank.timeline, members, blank.cluster}; }
  /// Elected in `in`, with the log up to `flushed`.
  void stream(std::uint64_t in, const term_history& of, std::uint64_t start) {
    step(vote_request{1, {in}});
    step(elected{1, {in}, at(start), of});
  }
  void write(std::uint64_t in, std::uint64_t begin, std::uint64_t end, std::uint64_t commit = 0) {
    step(append{1, {in}, at(begin), at(end), at(commit), at(0)});
    step(wal_flushed{at(end), at(end)});
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(consensus_acceptor, fixture)

BOOST_AUTO_TEST_CASE(greets_its_own_timeline_only) {
  BOOST_TEST((reply<greeting_reply>(step(hello())) == greeting_reply{{1}, members, {0}}));
  greeting other = hello();
  other.tenant = {{9}};
  BOOST_TEST(refused(other) == core::errc::conflict);
  other = hello();
  other.timeline = {{9}};
  BOOST_TEST(refused(other) == core::errc::conflict);
  other = hello();
  other.cluster.pg_version = 160004;
  BOOST_TEST(refused(other) == core::errc::conflict);
  other = hello();
  other.cluster.system_id = 78;
  BOOST_TEST(refused(other) == core::errc::conflict);
  other = hello();
  other.cluster.wal_segment_size = segment * 2;
  BOOST_TEST(refused(other) == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(learns_the_cluster_it_did_not_know) {
  blank.cluster = {};
  machine = acceptor({1}, blank, {});
  greeting first = hello();
  first.cluster = {150019, 77, 0};
  BOOST_TEST(index_of<persist_state>(step(first)) == 0);
  BOOST_TEST(index_of<persist_state>(step(first)) == -1);
  first.cluster = {150020, 0, segment};
  step(first);
  BOOST_TEST((machine.state().cluster == cluster_identity{150020, 77, segment}));
}

BOOST_AUTO_TEST_CASE(takes_over_newer_members_it_belongs_to) {
  greeting newer = hello();
  newer.members = {2, {{{2}, "h", 2}, {{3}, "h", 3}}, std::nullopt};
  BOOST_TEST(refused(newer) == core::errc::invalid_argument);
  newer.members = {2, members.members, {{{{1}, "h", 1}}}};
  const auto effects = step(newer);
  BOOST_TEST(index_of<persist_state>(effects) == 0);
  BOOST_TEST((reply<greeting_reply>(effects).members == newer.members));
  // Older ones are told the newer.
  BOOST_TEST((reply<greeting_reply>(step(hello())).members == newer.members));
  BOOST_TEST(refused(vote_request{1, {5}}) == core::errc::conflict);
  BOOST_TEST(refused(elected{1, {5}, at(8), history({{5, 8}})}) == core::errc::conflict);
  BOOST_TEST(refused(append{1, {5}, at(8), at(9), at(0), at(0)}) == core::errc::conflict);
  BOOST_TEST(reply<vote_reply>(step(vote_request{2, {5}})).given);
}

BOOST_AUTO_TEST_CASE(refuses_everything_once_it_is_no_member) {
  const configuration without{2, {{{2}, "h", 2}}, std::nullopt};
  BOOST_TEST(index_of<persist_state>(step(switch_members{without})) == 0);
  BOOST_TEST(step(switch_members{members}).empty());
  BOOST_TEST((machine.state().members == without));
  BOOST_TEST(refused(hello()) == core::errc::invalid_argument);
  BOOST_TEST(refused(vote_request{2, {5}}) == core::errc::invalid_argument);
  members.generation = 3;
  step(hello());
  BOOST_TEST(reply<vote_reply>(step(vote_request{3, {5}})).given);
}

BOOST_AUTO_TEST_CASE(one_that_is_to_become_a_member_is_fed_and_does_not_vote) {
  const configuration without{2, {{{2}, "h", 2}}, std::nullopt};
  step(switch_members{without});
  step(elected{2, {5}, at(8), history({{5, 8}})});
  step(append{2, {5}, at(8), at(20), at(0), at(0)});
  step(wal_flushed{at(20), at(20)});
  BOOST_TEST(machine.flush_lsn() == at(20));
  BOOST_TEST(refused(vote_request{2, {6}}) == core::errc::invalid_argument);
  const configuration with{3, without.members, {{{{1}, "h", 1}, {{2}, "h", 2}}}};
  step(switch_members{with});
  BOOST_TEST((reply<vote_reply>(step(vote_request{3, {6}})).flush_lsn == at(20)));
}

BOOST_AUTO_TEST_CASE(votes_once_in_a_term_and_remembers_it_first) {
  auto effects = step(vote_request{1, {5}});
  BOOST_TEST(index_of<persist_state>(effects) == 0);
  BOOST_TEST(index_of<send_reply>(effects) == 1);
  BOOST_TEST((reply<vote_reply>(effects) == vote_reply{1, {5}, true, at(0), at(0), {}}));
  BOOST_TEST(machine.state().in == term{5});
  for (const std::uint64_t in : {5, 4}) {
    effects = step(vote_request{1, {in}});
    BOOST_TEST(effects.size() == 1u);
    BOOST_TEST((reply<vote_reply>(effects) == vote_reply{1, {5}, false, at(0), at(0), {}}));
  }
  step(bump_term{{7}});
  BOOST_TEST(!reply<vote_reply>(step(vote_request{1, {7}})).given);
  BOOST_TEST(step(bump_term{{6}}).empty());
}

BOOST_AUTO_TEST_CASE(begins_its_log_where_the_first_proposer_does) {
  step(vote_request{1, {5}});
  BOOST_TEST(refused(elected{1, {5}, at(9), history({{5, 8}})}) == core::errc::out_of_range);
  BOOST_TEST(refused(elected{1, {5}, at(8), history({{4, 8}})}) == core::errc::invalid_argument);
  BOOST_TEST(refused(elected{1, {5}, at(8), {}}) == core::errc::invalid_argument);
  const auto effects = step(elected{1, {5}, at(8), history({{5, 8}})});
  BOOST_REQUIRE(effects.size() == 2u);
  BOOST_TEST(std::get<truncate_wal>(effects[0]).to == at(8));
  BOOST_TEST(std::holds_alternative<persist_state>(effects[1]));
  const acceptor_state& now = machine.state();
  for (const core::lsn position : {now.timeline_start, now.local_start, now.commit_lsn, now.backup_lsn,
                                   now.peer_horizon, now.remote_consistent, machine.write_lsn(), machine.flush_lsn()})
    BOOST_TEST(position == at(8));
  BOOST_TEST(now.history == history({{5, 8}}));
  // Heard twice: nothing to do.
  BOOST_TEST(step(elected{1, {5}, at(8), history({{5, 8}})}).empty());
  // A timeline does not begin at two places.
  BOOST_TEST(refused(elected{1, {6}, at(9), history({{6, 9}})}) == core::errc::conflict);
}

BOOST_AUTO_TEST_CASE(tells_its_history_no_further_than_its_log) {
  stream(1, history({{1, 8}}), 8);
  write(1, 8, 20);
  stream(4, history({{1, 8}, {4, 40}}), 20);
  BOOST_TEST(machine.last_log_term() == term{1});
  BOOST_TEST(reply<vote_reply>(step(vote_request{1, {5}})).history == history({{1, 8}}));
  BOOST_TEST(machine.state().history == history({{1, 8}, {4, 40}}));
}

BOOST_AUTO_TEST_CASE(cuts_what_its_proposer_does_not_have) {
  stream(1, history({{1, 8}}), 8);
  write(1, 8, 50);
  step(vote_request{1, {2}});
  BOOST_TEST(refused(elected{1, {2}, at(50), history({{1, 8}, {2, 30}})}) == core::errc::out_of_range);
  const auto effects = step(elected{1, {2}, at(30), history({{1, 8}, {2, 30}})});
  BOOST_REQUIRE(effects.size() == 2u);
  BOOST_TEST(std::get<truncate_wal>(effects[0]).to == at(30));
  BOOST_TEST(std::holds_alternative<persist_state>(effects[1]));
  BOOST_TEST(machine.write_lsn() == at(30));
  BOOST_TEST(machine.last_log_term() == term{2});
}

BOOST_AUTO_TEST_CASE(cuts_the_beginning_of_a_record_that_has_no_end) {
  stream(1, history({{1, 8}}), 8);
  step(append{1, {1}, at(8), at(50), at(0), at(0)});
  step(wal_flushed{at(50), at(40)});
  BOOST_TEST(machine.flush_lsn() == at(40));
  BOOST_TEST(machine.write_lsn() == at(50));
  BOOST_TEST(std::get<truncate_wal>(step(elected{1, {1}, at(40), history({{1, 8}})})[0]).to == at(40));
  BOOST_TEST(machine.write_lsn() == at(40));
}

BOOST_AUTO_TEST_CASE(an_old_elected_does_not_cut_what_was_acknowledged_since) {
  stream(1, history({{1, 8}}), 8);
  write(1, 8, 20);
  BOOST_TEST(refused(elected{1, {1}, at(8), history({{1, 8}})}) == core::errc::out_of_range);
  // Nor one that would cut what is committed, whatever it says.
  step(append{1, {1}, at(20), at(20), at(20), at(0)});
  BOOST_TEST(refused(elected{1, {2}, at(15), history({{1, 8}, {2, 15}})}) == core::errc::out_of_range);
  // Of an older term: not even an answer.
  step(vote_request{1, {3}});
  BOOST_TEST(step(elected{1, {2}, at(15), history({{1, 8}, {2, 15}})}).empty());
}

BOOST_AUTO_TEST_CASE(elected_is_a_vote_too) {
  BOOST_TEST(step(elected{1, {3}, at(8), history({{3, 8}})}).size() == 2u);
  BOOST_TEST(machine.state().in == term{3});
  BOOST_TEST(!reply<vote_reply>(step(vote_request{1, {3}})).given);
}

BOOST_AUTO_TEST_CASE(takes_appends_without_gap_or_overlap_after_elected_only) {
  step(vote_request{1, {2}});
  BOOST_TEST(refused(append{1, {2}, at(8), at(9), at(0), at(0)}) == core::errc::invalid_argument);
  stream(2, history({{2, 8}}), 8);
  BOOST_TEST(refused(append{1, {3}, at(8), at(9), at(0), at(0)}) == core::errc::invalid_argument);
  BOOST_TEST(refused(append{1, {2}, at(9), at(10), at(0), at(0)}) == core::errc::out_of_range);
  BOOST_TEST(refused(append{1, {2}, at(7), at(10), at(0), at(0)}) == core::errc::out_of_range);
  BOOST_TEST(refused(append{1, {2}, at(8), at(7), at(0), at(0)}) == core::errc::invalid_argument);
  BOOST_TEST(
      (refused(append{1, {2}, at(8), at(8) + append_size_max + 1, at(0), at(0)}) == core::errc::invalid_argument));
  const auto effects = step(append{1, {2}, at(8), at(20), at(0), at(0)});
  BOOST_REQUIRE(effects.size() == 1u);
  BOOST_TEST(std::get<write_wal>(effects[0]).begin == at(8));
  BOOST_TEST(std::get<write_wal>(effects[0]).end == at(20));
  // Voting again is not being elected again.
  step(wal_flushed{at(20), at(20)});
  step(vote_request{1, {4}});
  BOOST_TEST(refused(append{1, {4}, at(20), at(21), at(0), at(0)}) == core::errc::invalid_argument);
}

BOOST_AUTO_TEST_CASE(answers_when_it_is_durable) {
  stream(1, history({{1, 8}}), 8);
  BOOST_TEST(
      (reply<append_reply>(step(append{1, {1}, at(8), at(8), at(0), at(0)})) == append_reply{1, {1}, at(8), at(8)}));
  step(append{1, {1}, at(8), at(20), at(0), at(0)});
  BOOST_TEST(step(append{1, {1}, at(20), at(30), at(0), at(0)}).size() == 1u);
  BOOST_TEST(machine.owes_reply());
  // A sign of life does not overtake.
  BOOST_TEST(step(append{1, {1}, at(30), at(30), at(0), at(0)}).empty());
  BOOST_TEST((reply<append_reply>(step(wal_flushed{at(20), at(18)})) == append_reply{1, {1}, at(18), at(8)}));
  BOOST_TEST(machine.owes_reply());
  BOOST_TEST((reply<append_reply>(step(wal_flushed{at(30), at(30)})) == append_reply{1, {1}, at(30), at(8)}));
  BOOST_TEST(!machine.owes_reply());
  BOOST_TEST(step(wal_flushed{at(30), at(30)}).empty());
}

BOOST_AUTO_TEST_CASE(tells_a_proposer_of_the_past_the_term_only) {
  stream(1, history({{1, 8}}), 8);
  step(vote_request{1, {2}});
  BOOST_TEST((reply<append_reply>(step(append{1, {1}, at(8), at(20), at(0), at(0)})) == append_reply{1, {2}, {}, {}}));
  BOOST_TEST(machine.write_lsn() == at(8));
}

BOOST_AUTO_TEST_CASE(commit_follows_what_was_announced_as_far_as_the_log_is_durable) {
  stream(1, history({{1, 8}}), 8);
  step(append{1, {1}, at(8), at(20), at(100), at(9)});
  BOOST_TEST(machine.commit_lsn() == at(8));
  BOOST_TEST(machine.state().peer_horizon == at(9));
  BOOST_TEST(reply<append_reply>(step(wal_flushed{at(20), at(20)})).commit_lsn == at(20));
  step(append{1, {1}, at(20), at(30), at(15), at(0)});
  BOOST_TEST(machine.commit_lsn() == at(20));
  step(wal_flushed{at(30), at(30)});
  BOOST_TEST(machine.commit_lsn() == at(30));
}

BOOST_AUTO_TEST_CASE(commit_is_made_durable_at_the_terms_beginning_and_each_segment) {
  stream(1, history({{1, 8}}), 8);
  write(1, 8, 20);
  stream(2, history({{1, 8}, {2, 20}}), 20);
  BOOST_TEST(index_of<persist_state>(step(append{1, {2}, at(20), at(20), at(15), at(0)})) == -1);
  auto effects = step(append{1, {2}, at(20), at(20), at(20), at(0)});
  BOOST_TEST(index_of<persist_state>(effects) == 0);
  BOOST_TEST(index_of<send_reply>(effects) == 1);
  std::uint64_t end = 20;
  while (end + append_size_max <= 20 + segment) {
    step(append{1, {2}, at(end), at(end + append_size_max), at(end + append_size_max), at(0)});
    end += append_size_max;
    BOOST_TEST(index_of<persist_state>(step(wal_flushed{at(end), at(end)})) == -1);
  }
  step(append{1, {2}, at(end), at(end + 1), at(end + 1), at(0)});
  BOOST_TEST(index_of<persist_state>(step(wal_flushed{at(end + 1), at(end + 1)})) == 0);
}

BOOST_AUTO_TEST_CASE(believes_a_commit_of_peers_with_the_same_last_term) {
  stream(1, history({{1, 8}}), 8);
  write(1, 8, 20);
  step(timeline_news{{2}, at(15), at(12), at(11), at(10)});
  BOOST_TEST(machine.commit_lsn() == at(8));
  BOOST_TEST(machine.state().backup_lsn == at(12));
  BOOST_TEST(machine.state().peer_horizon == at(11));
  BOOST_TEST(machine.state().remote_consistent == at(10));
  step(timeline_news{{1}, at(15), at(0), at(0), at(0)});
  BOOST_TEST(machine.commit_lsn() == at(15));
  BOOST_TEST(machine.state().backup_lsn == at(12));
  step(timeline_news{{1}, at(99), at(0), at(0), at(0)});
  BOOST_TEST(machine.commit_lsn() == at(20));
  // What counts is who wrote last in the log, not who was elected last.
  stream(3, history({{1, 8}, {3, 40}}), 20);
  step(timeline_news{{3}, at(99), at(0), at(0), at(0)});
  BOOST_TEST(machine.last_log_term() == term{1});
}

BOOST_AUTO_TEST_CASE(goes_on_from_its_state) {
  stream(1, history({{1, 8}}), 8);
  write(1, 8, 20, 8);
  machine = acceptor({1}, machine.state(), machine.flush_lsn());
  BOOST_TEST(!reply<vote_reply>(step(vote_request{1, {1}})).given);
  write(1, 20, 30, 20);
  BOOST_TEST(machine.commit_lsn() == at(20));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::consensus
