#include "protocol/quorum_codec.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

namespace {

namespace core = strata::core;
namespace cs = strata::consensus;
namespace protocol = strata::protocol;

template <class Id>
Id id_of(std::uint8_t first) {
  Id id;
  for (std::size_t i = 0; i < id.value.size(); ++i) id.value[i] = static_cast<std::uint8_t>(first + i);
  return id;
}

cs::configuration three_members() {
  cs::configuration made;
  made.generation = 7;
  made.members = {{{1}, "10.0.0.1", 5454}, {{2}, "sk-2.example", 5455}, {{3}, "::1", 65535}};
  return made;
}

cs::configuration changing_members() {
  cs::configuration made = three_members();
  made.new_members = std::vector<cs::member>{{{2}, "sk-2.example", 5455}, {{4}, "h", 1}};
  return made;
}

cs::term_history some_history() {
  return cs::term_history({{{1}, core::lsn(0x1000)}, {{4}, core::lsn(0x2000)}, {{5}, core::lsn(0x2000)}});
}

std::vector<cs::proposer_message> proposer_messages() {
  cs::greeting plain{
      id_of<core::tenant_id>(1), id_of<core::timeline_id>(0x80), three_members(), {150020, 77, 16u << 20}};
  cs::greeting changing = plain;
  changing.members = changing_members();
  cs::greeting bare = plain;
  bare.members = {};
  bare.cluster = {};
  return {plain,
          changing,
          bare,
          cs::vote_request{7, {0xFFFFFFFFFFFFFFFF}},
          cs::elected{7, {9}, core::lsn(0x3000), some_history()},
          cs::elected{0, {1}, core::lsn(8), {}},
          cs::append{7, {9}, core::lsn(0x3000), core::lsn(0x3000), core::lsn(0x2FF8), core::lsn(0x2000)}};
}

std::vector<cs::acceptor_message> acceptor_messages() {
  return {cs::greeting_reply{{3}, three_members(), {8}},
          cs::greeting_reply{{3}, changing_members(), {8}},
          cs::greeting_reply{{3}, {}, {}},
          cs::vote_reply{7, {9}, true, core::lsn(0x3000), core::lsn(0x2000), some_history()},
          cs::vote_reply{7, {9}, false, {}, {}, {}},
          cs::append_reply{7, {9}, core::lsn(0x3000), core::lsn(0x2FF8)}};
}

core::bytes encoded(const cs::proposer_message& message) {
  core::bytes to;
  protocol::encode(message, to);
  return to;
}
core::bytes encoded(const cs::acceptor_message& message,
                    const std::optional<protocol::pageserver_feedback>& feedback = {}) {
  core::bytes to;
  protocol::encode(message, feedback, to);
  return to;
}

core::bytes unhex(std::string_view text) {
  core::bytes to;
  int half = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'A' + 10;
    if (half < 0) {
      half = digit;
    } else {
      to.push_back(static_cast<std::uint8_t>(half << 4 | digit));
      half = -1;
    }
  }
  return to;
}

void check_corrupt(const core::error& e) { BOOST_TEST((e.code == core::errc::corrupt), e.detail); }

BOOST_AUTO_TEST_SUITE(protocol_quorum_codec)

BOOST_AUTO_TEST_CASE(a_proposers_messages_come_back_as_they_were) {
  for (const auto& message : proposer_messages()) {
    const core::bytes bytes = encoded(message);
    const auto back = protocol::decode_from_proposer(bytes);
    BOOST_REQUIRE(back);
    BOOST_TEST((back->message == message));
    BOOST_TEST(back->wal.empty());
  }
}

BOOST_AUTO_TEST_CASE(an_acceptors_messages_come_back_as_they_were) {
  for (const auto& message : acceptor_messages()) {
    const auto back = protocol::decode_from_acceptor(encoded(message));
    BOOST_REQUIRE(back);
    BOOST_TEST((back->message == message));
    BOOST_TEST(!back->feedback);
  }
}

BOOST_AUTO_TEST_CASE(an_append_is_followed_by_its_wal) {
  core::bytes bytes = encoded(cs::append{1, {2}, core::lsn(0x100), core::lsn(0x103), {}, {}});
  core::append(bytes, core::bytes{0xAA, 0xBB, 0xCC});
  const auto back = protocol::decode_from_proposer(bytes);
  BOOST_REQUIRE(back);
  BOOST_TEST(back->wal == (core::bytes{0xAA, 0xBB, 0xCC}), boost::test_tools::per_element());
  BOOST_TEST(back->wal.data() == bytes.data() + bytes.size() - 3);
}

BOOST_AUTO_TEST_CASE(an_append_that_is_not_as_long_as_it_says_is_refused) {
  const auto refused = [](core::lsn begin, core::lsn end, std::size_t size) {
    core::bytes bytes = encoded(cs::append{1, {2}, begin, end, {}, {}});
    bytes.resize(bytes.size() + size);
    const auto back = protocol::decode_from_proposer(bytes);
    BOOST_REQUIRE(!back);
    check_corrupt(back.error());
  };
  refused(core::lsn(0x100), core::lsn(0x104), 3);
  refused(core::lsn(0x100), core::lsn(0x104), 5);
  refused(core::lsn(0x104), core::lsn(0x100), 4);
  refused(core::lsn(0x104), core::lsn(0x100), 0);
  refused(core::lsn(0x100), core::lsn(0x100) + cs::append_size_max + 1, cs::append_size_max + 1);
}

BOOST_AUTO_TEST_CASE(the_longest_append_is_taken) {
  core::bytes bytes = encoded(cs::append{1, {2}, core::lsn(0x100), core::lsn(0x100) + cs::append_size_max, {}, {}});
  bytes.resize(bytes.size() + cs::append_size_max);
  BOOST_TEST(protocol::decode_from_proposer(bytes));
}

BOOST_AUTO_TEST_CASE(every_truncation_is_refused) {
  for (const auto& message : proposer_messages()) {
    const core::bytes bytes = encoded(message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto back = protocol::decode_from_proposer(core::bytes_view(bytes).first(size));
      BOOST_REQUIRE(!back);
      check_corrupt(back.error());
    }
  }
  const protocol::pageserver_feedback feedback{core::lsn(3), core::lsn(2), core::lsn(1), -5, 99};
  for (const auto& message : acceptor_messages()) {
    const core::bytes without = encoded(message);
    const core::bytes bytes = encoded(message, feedback);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      // A reply to an append is whole with and without feedback.
      if (size == without.size()) continue;
      BOOST_REQUIRE(!protocol::decode_from_acceptor(core::bytes_view(bytes).first(size)));
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_behind_a_message_are_refused) {
  for (const auto& message : proposer_messages()) {
    core::bytes bytes = encoded(message);
    bytes.push_back(0);
    BOOST_TEST(!protocol::decode_from_proposer(bytes));
  }
  for (const auto& message : acceptor_messages()) {
    core::bytes bytes = encoded(message);
    bytes.push_back(1);
    BOOST_TEST(!protocol::decode_from_acceptor(bytes));
  }
}

BOOST_AUTO_TEST_CASE(counts_that_cannot_be_are_refused_before_anything_is_made_of_them) {
  // elected: tag, generation, term, start, then the count
  core::bytes bytes = encoded(cs::elected{7, {9}, core::lsn(0x3000), some_history()});
  core::store_be<std::uint32_t>(bytes.data() + 21, 0xFFFFFFFF);
  check_corrupt(protocol::decode_from_proposer(bytes).error());
  core::store_be<std::uint32_t>(bytes.data() + 21, 4);
  check_corrupt(protocol::decode_from_proposer(bytes).error());

  // greeting: tag, two ids of 33 bytes, generation, then the count of members
  bytes = encoded(proposer_messages().front());
  for (const std::uint32_t count : {0xFFFFFFFFu, 33u, 4u, 2u}) {
    core::store_be(bytes.data() + 71, count);
    check_corrupt(protocol::decode_from_proposer(bytes).error());
  }
}

BOOST_AUTO_TEST_CASE(histories_must_be_well_formed) {
  core::bytes bytes = encoded(cs::elected{7, {9}, core::lsn(0x3000), some_history()});
  core::store_be<std::uint64_t>(bytes.data() + 25, 4);  // terms 4, 4, 5
  check_corrupt(protocol::decode_from_proposer(bytes).error());
}

BOOST_AUTO_TEST_CASE(texts_must_end_and_ids_be_ids) {
  core::bytes bytes = encoded(proposer_messages().front());
  bytes[1] = 'x';
  check_corrupt(protocol::decode_from_proposer(bytes).error());
  bytes = core::bytes(5000, 'a');
  bytes[0] = 'g';
  check_corrupt(protocol::decode_from_proposer(bytes).error());
  bytes = core::bytes(protocol::message_size_max + 1, 0);
  bytes[0] = 'a';
  check_corrupt(protocol::decode_from_proposer(bytes).error());
  check_corrupt(protocol::decode_from_acceptor(bytes).error());
}

BOOST_AUTO_TEST_CASE(unknown_tags_are_refused) {
  for (int tag = 0; tag < 256; ++tag) {
    const core::bytes bytes{static_cast<std::uint8_t>(tag), 0, 0, 0, 0};
    BOOST_TEST(!protocol::decode_from_proposer(bytes));
    BOOST_TEST(!protocol::decode_from_acceptor(bytes));
  }
}

BOOST_AUTO_TEST_CASE(feedback_comes_back_and_unknown_keys_are_skipped) {
  const protocol::pageserver_feedback feedback{core::lsn(0x30), core::lsn(0x20), core::lsn(0x10), -5, 99};
  const auto reply = protocol::decode_from_acceptor(encoded(acceptor_messages().back(), feedback));
  BOOST_REQUIRE(reply);
  BOOST_TEST((reply->feedback == feedback));

  // two keys: "new" with 3 bytes, then ps_applylsn
  const auto odd = protocol::decode_feedback(
      unhex("02 6E657700 00000003 010203 70735F6170706C796C736E00 00000008 0000000000000040"));
  BOOST_REQUIRE(odd);
  BOOST_TEST(odd->remote_consistent == core::lsn(0x40));
  BOOST_TEST(odd->last_received == core::lsn());
}

BOOST_AUTO_TEST_CASE(feedback_that_makes_no_sense_is_refused) {
  check_corrupt(protocol::decode_feedback({}).error());
  check_corrupt(protocol::decode_feedback(unhex("01")).error());
  check_corrupt(protocol::decode_feedback(unhex("FF 6100 00000000")).error());
  check_corrupt(protocol::decode_feedback(unhex("01 6100 FFFFFFFF 00")).error());
  check_corrupt(protocol::decode_feedback(unhex("01 70735F6170706C796C736E00 00000004 00000040")).error());
  check_corrupt(protocol::decode_feedback(unhex("00 00")).error());
}

// Written by hand from the description of protocol 3 in docs/formats/wire.md.
BOOST_AUTO_TEST_CASE(the_bytes_are_those_of_the_protocol) {
  const auto check_bytes = [](const core::bytes& made, std::string_view expected) {
    BOOST_TEST(made == unhex(expected), boost::test_tools::per_element());
  };
  cs::configuration members;
  members.generation = 2;
  members.members = {{{5}, "h", 0x1234}};
  members.new_members = std::vector<cs::member>{{{6}, "i", 1}};
  check_bytes(
      encoded(cs::greeting{
          id_of<core::tenant_id>(0), id_of<core::timeline_id>(0x10), members, {150020, 0x0102030405060708, 16u << 20}}),
      "67 "
      "3030303130323033303430353036303730383039306130623063306430653066 00 "
      "3130313131323133313431353136313731383139316131623163316431653166 00 "
      "00000002 00000001 0000000000000005 6800 1234 00000001 0000000000000006 6900 0001 "
      "00024A04 0102030405060708 01000000");
  check_bytes(encoded(cs::vote_request{2, {3}}), "76 00000002 0000000000000003");
  check_bytes(encoded(cs::elected{2, {3}, core::lsn(0x1000028), cs::term_history({{{1}, core::lsn(0x1000000)}})}),
              "65 00000002 0000000000000003 0000000001000028 00000001 0000000000000001 0000000001000000");
  check_bytes(encoded(cs::append{2, {3}, core::lsn(0x10), core::lsn(0x12), core::lsn(8), core::lsn(4)}),
              "61 00000002 0000000000000003 0000000000000010 0000000000000012 0000000000000008 0000000000000004");
  check_bytes(encoded(cs::greeting_reply{{5}, {}, {3}}),
              "67 0000000000000005 00000000 00000000 00000000 0000000000000003");
  check_bytes(encoded(cs::vote_reply{2, {3}, true, core::lsn(0x20), core::lsn(0x10), {}}),
              "76 00000002 0000000000000003 01 0000000000000020 0000000000000010 00000000");
  check_bytes(encoded(cs::append_reply{2, {3}, core::lsn(0x20), core::lsn(0x10)}),
              "61 00000002 0000000000000003 0000000000000020 0000000000000010 "
              "0000000000000000 0000000000000000 0000000000000000");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
