#include "journal/maintenance.hpp"

#include <boost/test/unit_test.hpp>

#include "journal/wal_archive.hpp"
#include "protocol/acceptor_summary.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::journal;

namespace {

constexpr std::uint32_t segment = 16u << 20;
constexpr core::monotonic_time now{std::chrono::hours(1)};

core::lsn at_segment(std::uint64_t number, std::uint64_t offset = 0) { return core::lsn(number * segment + offset); }

/// Three segments committed, nothing offloaded, the pageserver has nothing.
journal::timeline_situation three_segments() {
  journal::timeline_situation of;
  of.position.in = {5};
  of.position.last_log_term = {5};
  of.position.timeline_start = of.position.local_start = at_segment(1, 0x28);
  of.position.backup_lsn = of.position.peer_horizon = of.position.remote_consistent = of.position.timeline_start;
  of.position.commit_lsn = of.position.flush_lsn = of.position.write_lsn = at_segment(4, 0x1000);
  of.position.generation = 1;
  of.self = {2};
  of.segment_size = segment;
  of.has_backup = true;
  of.now = now;
  return of;
}

journal::peer_report peer_of(const journal::timeline_situation& of, std::uint64_t id) {
  journal::peer_report peer;
  peer.at = now;
  peer.info = {.safekeeper = id,
               .term = of.position.in.value,
               .last_log_term = of.position.last_log_term.value,
               .generation = of.position.generation,
               .flush_lsn = of.position.flush_lsn,
               .commit_lsn = of.position.commit_lsn,
               .local_start_lsn = of.position.local_start,
               .wal_address = "127.0.0.1:" + std::to_string(id)};
  return peer;
}

core::timeline_id timeline_of_hash(std::size_t remainder, std::size_t count) {
  core::timeline_id id;
  while (std::hash<core::timeline_id>{}(id) % count != remainder) ++id.value[15];
  return id;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_maintenance)

BOOST_AUTO_TEST_CASE(object_storage_is_freed_of_what_the_pageserver_and_every_member_have) {
  auto of = three_segments().position;
  BOOST_TEST((journal::backup_removal_horizon(of) == of.timeline_start));
  of.remote_consistent = at_segment(3, 8);
  BOOST_TEST((journal::backup_removal_horizon(of) == of.timeline_start));
  of.peer_horizon = at_segment(2, 8);
  BOOST_TEST((journal::backup_removal_horizon(of) == of.timeline_start));  // it is still to be stored
  of.backup_lsn = at_segment(4);
  BOOST_TEST((journal::backup_removal_horizon(of) == at_segment(2, 8)));  // a member is behind
  of.peer_horizon = at_segment(4, 8);
  BOOST_TEST((journal::backup_removal_horizon(of) == at_segment(3, 8)));
  of.commit_lsn = at_segment(2);
  BOOST_TEST((journal::backup_removal_horizon(of) == at_segment(2)));
}

BOOST_AUTO_TEST_CASE(active_while_there_is_something_to_tell) {
  auto of = three_segments();
  BOOST_TEST(journal::is_active(of));
  of.position.remote_consistent = of.position.commit_lsn;
  BOOST_TEST(journal::is_active(of));  // segments are not in object storage
  of.position.backup_lsn = at_segment(4);
  BOOST_TEST(!journal::is_active(of));
  of.proposer_here = true;
  BOOST_TEST(journal::is_active(of));
  of.proposer_here = false;
  of.position.backup_lsn = of.position.timeline_start;
  of.has_backup = false;
  BOOST_TEST(!journal::is_active(of));
}

BOOST_AUTO_TEST_CASE(wal_is_removed_before_what_everybody_has) {
  auto of = three_segments().position;
  BOOST_TEST((journal::removal_horizon(of, true) == of.timeline_start));
  of.remote_consistent = at_segment(3);
  of.peer_horizon = at_segment(2);
  BOOST_TEST((journal::removal_horizon(of, false) == at_segment(2)));
  BOOST_TEST((journal::removal_horizon(of, true) == of.backup_lsn));
  of.backup_lsn = at_segment(4);
  BOOST_TEST((journal::removal_horizon(of, true) == at_segment(3)));
  of.commit_lsn = at_segment(1, 0x100);
  BOOST_TEST((journal::removal_horizon(of, true) == of.commit_lsn));
}

BOOST_AUTO_TEST_CASE(whole_committed_segments_are_offloaded_in_order) {
  auto of = three_segments();
  BOOST_TEST((journal::segment_to_offload(of) == at_segment(1)));
  of.position.backup_lsn = at_segment(2);
  BOOST_TEST((journal::segment_to_offload(of) == at_segment(2)));
  of.position.backup_lsn = at_segment(4);
  BOOST_TEST(!journal::segment_to_offload(of));
  of.position.backup_lsn = at_segment(2);
  of.position.commit_lsn = at_segment(3) - 8;
  BOOST_TEST(!journal::segment_to_offload(of));
  of.has_backup = false;
  of.position.commit_lsn = at_segment(4);
  BOOST_TEST(!journal::segment_to_offload(of));
}

BOOST_AUTO_TEST_CASE(one_of_the_living_that_could_offloads) {
  auto of = three_segments();
  std::vector<journal::peer_report> peers{peer_of(of, 1), peer_of(of, 3)};
  of.peers = peers;
  for (std::size_t chosen = 0; chosen < 3; ++chosen) {
    of.timeline = timeline_of_hash(chosen, 3);
    BOOST_TEST(journal::segment_to_offload(of).has_value() == (chosen == 1));
  }
  of.timeline = timeline_of_hash(0, 3);
  peers[0].at = now - std::chrono::seconds(6);  // gone: two are left, we are the first of them
  of.timeline = timeline_of_hash(0, 2);
  BOOST_TEST(journal::segment_to_offload(of));
  peers[1].info.commit_lsn = of.position.commit_lsn + (200u << 20);  // we are far behind
  BOOST_TEST(!journal::segment_to_offload(of));
  peers[1].info.local_start_lsn = at_segment(9);  // but the other does not have the segment
  of.timeline = timeline_of_hash(0, 1);
  BOOST_TEST(!journal::segment_to_offload(of));
}

BOOST_AUTO_TEST_CASE(wal_is_fetched_from_the_peer_that_is_furthest_in_the_newest_term) {
  auto of = three_segments();
  std::vector<journal::peer_report> peers{peer_of(of, 1), peer_of(of, 3)};
  of.peers = peers;
  BOOST_TEST((journal::peer_to_recover_from(of) == nullptr));
  peers[0].info.flush_lsn = of.position.flush_lsn + 8;
  peers[1].info.flush_lsn = of.position.flush_lsn + 16;
  BOOST_REQUIRE((journal::peer_to_recover_from(of) != nullptr));
  BOOST_TEST(journal::peer_to_recover_from(of)->safekeeper == 3u);
  peers[0].info.term = peers[0].info.last_log_term = 6;
  BOOST_TEST(journal::peer_to_recover_from(of)->safekeeper == 1u);
  peers[0].info.term = 7;  // voted, not elected
  BOOST_TEST(journal::peer_to_recover_from(of)->safekeeper == 3u);
  of.proposer_here = true;
  BOOST_TEST((journal::peer_to_recover_from(of) == nullptr));
  of.proposer_here = false;
  peers[1].info.generation = 2;
  BOOST_TEST((journal::peer_to_recover_from(of) == nullptr));
  peers[1].info.generation = 1;
  peers[1].at = now - std::chrono::seconds(6);
  BOOST_TEST((journal::peer_to_recover_from(of) == nullptr));
  peers[1].at = now;
  of.position.in = {8};
  BOOST_TEST((journal::peer_to_recover_from(of) == nullptr));
}

BOOST_AUTO_TEST_CASE(an_acceptors_state_survives_being_text) {
  for (const protocol::acceptor_summary& each :
       {protocol::acceptor_summary{},
        protocol::acceptor_summary{3,
                                   {7},
                                   core::lsn(0x123456789A),
                                   core::lsn(8),
                                   consensus::term_history({{{1}, core::lsn(0x1000)}, {{7}, core::lsn(0x2000)}})}}) {
    const auto back = protocol::parse_acceptor_summary(protocol::to_text(each));
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((*back == each));
  }
  const std::string text =
      protocol::to_text({3, {7}, core::lsn(16), core::lsn(8), consensus::term_history({{{7}, core::lsn(8)}})});
  for (std::size_t size = 0; size + 4 < text.size(); ++size) {
    const auto cut = protocol::parse_acceptor_summary(text.substr(0, size));
    if (cut) BOOST_TEST(cut->history.entries().size() < 1u);
  }
  for (const char* wrong : {"", "generation=1", "x", "generation=1 term=1 flush_lsn=0/0 commit_lsn=0/0 history=1",
                            "generation=1 term=1 flush_lsn=0/0 commit_lsn=0/0 history=2@0/8,1@0/8",
                            "generation=x term=1 flush_lsn=0/0 commit_lsn=0/0 history=",
                            "generation=1 term=1 flush_lsn=0/0 commit_lsn=0/0 history= more"})
    BOOST_TEST(!protocol::parse_acceptor_summary(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(what_nobody_wrote_has_the_headers_that_tools_look_for) {
  consensus::acceptor_state state;
  state.cluster = {150020, 77, segment};
  state.timeline_start = at_segment(1);
  BOOST_TEST(journal::unwritten_prefix(state).empty());
  state.timeline_start = at_segment(1, 3 * 8192 + 100);
  const core::bytes prefix = journal::unwritten_prefix(state);
  BOOST_REQUIRE(prefix.size() == 3u * 8192 + 100);
  BOOST_TEST(core::load_le<std::uint16_t>(prefix.data() + 2) == 2u);
  BOOST_TEST(core::load_le<std::uint64_t>(prefix.data() + 8) == at_segment(1).value);
  BOOST_TEST(core::load_le<std::uint64_t>(prefix.data() + 24) == 77u);
  BOOST_TEST(core::load_le<std::uint64_t>(prefix.data() + 3 * 8192 + 8) == at_segment(1, 3 * 8192).value);
  // Too little of the page for a header is no header.
  state.timeline_start = at_segment(1, 10);
  BOOST_TEST(journal::unwritten_prefix(state).size() == 10u);
}

BOOST_AUTO_TEST_SUITE_END()
