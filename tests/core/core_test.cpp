#include <boost/test/unit_test.hpp>
#include <cerrno>

#include "core/address.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"
#include "core/url.hpp"
#include "tests/support/printing.hpp"

using namespace strata::core;

BOOST_AUTO_TEST_SUITE(core)

BOOST_AUTO_TEST_CASE(an_lsn_is_written_and_read_as_postgres_does) {
  BOOST_TEST(to_string(lsn(0x1'03B21F08)) == "1/3B21F08");
  BOOST_TEST(parse_lsn("1/3B21F08")->value == 0x1'03B21F08u);
  BOOST_TEST(parse_lsn("FFFFFFFF/FFFFFFFF")->value == ~0ull);
  for (const char* wrong : {"", "/", "1/", "/1", "1", "1/G", "123456789/0", "1/2/3", " 1/2", "-1/2", "1/0x2"})
    BOOST_TEST(!parse_lsn(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(a_position_is_rounded_up_to_where_a_record_may_start) {
  BOOST_TEST(lsn(16).align_up().value == 16u);
  BOOST_TEST(lsn(17).align_up().value == 24u);
}

BOOST_AUTO_TEST_CASE(an_id_survives_its_text_form) {
  const auto id = make_id<tenant_id>();
  BOOST_TEST((*parse_id<tenant_id>(to_string(id)) == id));
  BOOST_TEST(!parse_id<tenant_id>("12"));
  BOOST_TEST(!parse_id<tenant_id>(std::string(32, 'g')));
  BOOST_TEST((make_id<tenant_id>() != id));
}

BOOST_AUTO_TEST_CASE(keys_are_ordered_as_their_bytes) {
  const page_key keys[] = {{0, 1663, 5, 1, 0, 7}, {0, 1663, 5, 1, 1, 0}, {0, 1663, 5, 2, 0, 0}, {1, 0, 0, 0, 0, 0}};
  for (std::size_t i = 0; i + 1 < std::size(keys); ++i) {
    std::array<std::uint8_t, page_key::encoded_size> a{};
    std::array<std::uint8_t, page_key::encoded_size> b{};
    keys[i].encode(a.data());
    keys[i + 1].encode(b.data());
    BOOST_TEST((keys[i] < keys[i + 1]));
    BOOST_TEST((a < b));
    BOOST_TEST((page_key::decode(a.data()) == keys[i]));
  }
}

BOOST_AUTO_TEST_CASE(the_next_key_carries_into_higher_fields) {
  const page_key last_block{0, 1663, 5, 1, 3, ~0u};
  BOOST_TEST((last_block.next() == page_key{0, 1663, 5, 1, 4, 0}));
  BOOST_TEST((page_key::max().next() == page_key::max()));
}

BOOST_AUTO_TEST_CASE(a_byte_reader_fails_for_good_at_the_first_missing_byte) {
  const bytes raw{1, 2, 3};
  byte_reader in(raw);
  BOOST_TEST(in.le<std::uint16_t>() == 0x0201);
  BOOST_TEST(in.be<std::uint32_t>() == 0u);
  BOOST_TEST(!in.ok());
  BOOST_TEST(in.le<std::uint8_t>() == 0);
  BOOST_TEST(!in.finished());
}

BOOST_AUTO_TEST_CASE(an_error_tells_the_story_and_what_to_do) {
  const auto inner = []() -> result<int> { return from_errno("open segment 41", ENOENT); };
  const auto outer = [&]() -> result<int> {
    STRATA_ASSIGN(const int fd, inner());
    return fd + 1;
  };
  const auto failed = outer();
  BOOST_REQUIRE(!failed);
  const auto told = failed.error().within("append wal");
  BOOST_TEST(told.detail == "append wal: open segment 41: No such file or directory");
  BOOST_TEST(advice_for(told.code) == advice::look_elsewhere);
  BOOST_TEST(from_errno("write", ENOSPC).code == errc::disk_full);
  // The limit is one of this process, which its user can change.
  BOOST_TEST(from_errno("open", EMFILE).detail.ends_with(" (ulimit -n)"));
}

BOOST_AUTO_TEST_CASE(an_address_is_host_and_port) {
  BOOST_TEST(parse_address("127.0.0.1:7000").value().port == 7000);
  BOOST_TEST(parse_address("::1:7000").value().host == "::1");
  BOOST_TEST(parse_address("[::1]:7000").value().host == "::1");
  for (const char* wrong : {"", "host", ":1", "[]:1", "host:", "host:0", "host:65536", "host:1x", "host:-1"})
    BOOST_TEST(!parse_address(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(an_address_is_written_so_that_it_can_be_read_again) {
  BOOST_TEST(address_text("127.0.0.1", 7000) == "127.0.0.1:7000");
  BOOST_TEST(address_text("::1", 7000) == "[::1]:7000");
  BOOST_TEST(address_text("[::1]", 7000) == "[::1]:7000");
  for (const char* host : {"127.0.0.1", "::1", "2001:db8::5", "db1.example"})
    BOOST_TEST(parse_address(address_text(host, 5454)).value().host == host);
}

BOOST_AUTO_TEST_CASE(only_loopback_addresses_are_closed_to_others) {
  for (const char* closed : {"127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"})
    BOOST_TEST(is_loopback(closed), closed);
  for (const char* open : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "126.255.255.255", "::2", "::ffff:10.0.0.1",
                           "fe80::1", "127.1", "localhost", "127.0.0.1.example", ""})
    BOOST_TEST(!is_loopback(open), open);
}

BOOST_AUTO_TEST_CASE(a_part_of_a_url_has_nothing_that_divides_urls) {
  BOOST_TEST(url_encoded("dev-1_a.b~") == "dev-1_a.b~");
  BOOST_TEST(url_encoded("a/b:c@d e?f#g&h=i%j+") == "a%2Fb%3Ac%40d%20e%3Ff%23g%26h%3Di%25j%2B");
  BOOST_TEST(url_encoded("ä") == "%C3%A4");
  BOOST_TEST(url_encoded("/run/my db", "/") == "/run/my%20db");
}

BOOST_AUTO_TEST_CASE(a_manual_clock_moves_only_when_told) {
  manual_clock clock;
  const auto before = clock.monotonic();
  clock.advance(std::chrono::seconds(3));
  BOOST_TEST((clock.monotonic() - before == std::chrono::seconds(3)));
}

BOOST_AUTO_TEST_SUITE_END()
