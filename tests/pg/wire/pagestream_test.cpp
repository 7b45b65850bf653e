#include "pg/wire/pagestream.hpp"

#include <boost/test/unit_test.hpp>
#include <initializer_list>

#include "pg/crc32c.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::wire;

namespace {

core::bytes page_request(pagestream_version version) {
  core::bytes raw{2};
  if (version != pagestream_version::v2) core::append_be<std::uint64_t>(raw, 77);
  core::append_be<std::uint64_t>(raw, 0x500);
  core::append_be<std::uint64_t>(raw, 0x400);
  for (std::uint32_t field : {1663u, 5u, 16384u}) core::append_be(raw, field);
  raw.push_back(2);
  core::append_be<std::uint32_t>(raw, 9);
  return raw;
}

core::bytes range_request(std::uint32_t first, std::uint32_t count) {
  core::bytes raw = page_request(pagestream_version::v4);
  raw[0] = 5;
  raw.resize(raw.size() - 4);
  core::append_be(raw, first);
  core::append_be(raw, count);
  return raw;
}

/// The payload of a CopyData message.
core::bytes payload_of(const core::bytes& message) { return {message.begin() + 5, message.end()}; }

/// The response to a range of pages that differ.
core::bytes range_message(const pagestream_request& request) {
  core::bytes out;
  const std::size_t offset = append_pages(out, pagestream_version::v4, request);
  for (std::size_t i = offset; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i / pg::page_size * 7 + i);
  store_range_checksum(out, offset, request.count);
  return out;
}

constexpr std::initializer_list<pagestream_version> versions{pagestream_version::v2, pagestream_version::v3,
                                                             pagestream_version::v4};

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_wire_pagestream)

BOOST_AUTO_TEST_CASE(a_page_request_is_read_in_all_versions) {
  for (const auto version : versions) {
    const auto request = parse_request(page_request(version), version);
    BOOST_REQUIRE(request);
    BOOST_TEST(request->kind == request_kind::page);
    BOOST_TEST(request->id == (version == pagestream_version::v2 ? 0u : 77u));
    BOOST_TEST(request->request_lsn.value == 0x500u);
    BOOST_TEST(request->not_modified_since.value == 0x400u);
    BOOST_TEST((request->relation == pg::relation_fork{1663, 5, 16384, pg::fork::vm}));
    BOOST_TEST(request->block == 9u);
  }
}

BOOST_AUTO_TEST_CASE(requests_that_are_cut_long_or_unknown_are_refused) {
  auto raw = page_request(pagestream_version::v2);
  for (std::size_t size = 0; size < raw.size(); ++size)
    BOOST_TEST(!parse_request(core::bytes_view(raw).first(size), pagestream_version::v2));
  auto longer = raw;
  longer.push_back(0);
  BOOST_TEST(!parse_request(longer, pagestream_version::v2));
  BOOST_TEST(!parse_request(raw, pagestream_version::v3));
  raw[0] = 9;
  BOOST_TEST(!parse_request(raw, pagestream_version::v2));
  raw[0] = 2;
  raw[17 + 12] = 4;
  BOOST_TEST(!parse_request(raw, pagestream_version::v2));
}

BOOST_AUTO_TEST_CASE(an_error_echoes_id_and_lsns_of_a_request_that_cannot_be_read) {
  core::bytes unknown = page_request(pagestream_version::v3);
  unknown[0] = 9;
  core::bytes cut = page_request(pagestream_version::v3);
  cut.resize(30);
  core::bytes no_fork = page_request(pagestream_version::v3);
  no_fork[25 + 12] = 4;
  core::bytes no_slru{4};
  core::append_be<std::uint64_t>(no_slru, 77);
  core::append_be<std::uint64_t>(no_slru, 0x500);
  core::append_be<std::uint64_t>(no_slru, 0x400);
  no_slru.push_back(9);
  core::append_be<std::uint32_t>(no_slru, 0);
  for (const auto& raw : {unknown, cut, no_fork, no_slru}) {
    BOOST_TEST(!parse_request(raw, pagestream_version::v3));
    core::bytes out;
    append_request_error(out, pagestream_version::v3, echo_of(raw, pagestream_version::v3),
                         {core::errc::not_found, "why"});
    BOOST_TEST(out[5] == 103);
    BOOST_TEST(core::load_be<std::uint64_t>(out.data() + 6) == 77u);
    BOOST_TEST(core::load_be<std::uint64_t>(out.data() + 14) == 0x500u);
    BOOST_TEST(core::load_be<std::uint64_t>(out.data() + 22) == 0x400u);
  }
  // What is too short for them has zeros.
  BOOST_TEST(echo_of(core::bytes{2, 0, 0}, pagestream_version::v3).id == 0u);
  BOOST_TEST(echo_of({}, pagestream_version::v2).request_lsn.value == 0u);
}

BOOST_AUTO_TEST_CASE(version_3_echoes_the_request_before_the_page) {
  const auto raw = page_request(pagestream_version::v3);
  const auto request = *parse_request(raw, pagestream_version::v3);
  core::bytes out;
  const auto page = append_pages(out, pagestream_version::v3, request);
  BOOST_TEST(out.size() == page_response_size(pagestream_version::v3, request));
  BOOST_TEST(out[0] == 'd');
  BOOST_TEST(core::load_be<std::uint32_t>(out.data() + 1) == out.size() - 1);
  BOOST_TEST(out[5] == 102);
  const core::bytes echoed(out.begin() + 6, out.begin() + static_cast<std::ptrdiff_t>(page));
  BOOST_TEST(echoed == core::bytes(raw.begin() + 1, raw.end()), boost::test_tools::per_element());

  core::bytes plain;
  const auto offset = append_pages(plain, pagestream_version::v2, request);
  BOOST_TEST(offset == 6u);
  BOOST_TEST(plain.size() == page_response_size(pagestream_version::v2, request));
}

BOOST_AUTO_TEST_CASE(a_range_is_a_request_of_version_4_only) {
  const auto raw = range_request(9, 128);
  const auto request = parse_request(raw, pagestream_version::v4);
  BOOST_REQUIRE(request);
  BOOST_TEST(request->kind == request_kind::range);
  BOOST_TEST(request->id == 77u);
  BOOST_TEST((request->relation == pg::relation_fork{1663, 5, 16384, pg::fork::vm}));
  BOOST_TEST(request->block == 9u);
  BOOST_TEST(request->count == 128u);
  BOOST_TEST(pages_of(*request) == 128u);
  for (std::size_t size = 0; size < raw.size(); ++size)
    BOOST_TEST(!parse_request(core::bytes_view(raw).first(size), pagestream_version::v4));
  auto without_id = raw;
  without_id.erase(without_id.begin() + 1, without_id.begin() + 9);
  for (const auto& [bytes, version] :
       {std::pair(raw, pagestream_version::v3), std::pair(without_id, pagestream_version::v2)}) {
    const auto refused = parse_request(bytes, version);
    BOOST_REQUIRE(!refused);
    BOOST_TEST(refused.error().detail == "pagestream: unknown request type 5");
  }
}

BOOST_AUTO_TEST_CASE(ranges_with_wrong_counts_are_refused) {
  const auto accepts = [](std::uint32_t first, std::uint32_t count) {
    return parse_request(range_request(first, count), pagestream_version::v4).has_value();
  };
  BOOST_TEST(accepts(0, 1));
  BOOST_TEST(accepts(0, 128));
  BOOST_TEST(!accepts(0, 0));
  BOOST_TEST(!accepts(0, 129));
  BOOST_TEST(!accepts(0, 0xFFFFFFFF));
  // The greatest block is 4294967294.
  BOOST_TEST(accepts(0xFFFFFFFE, 1));
  BOOST_TEST(!accepts(0xFFFFFFFE, 2));
  BOOST_TEST(!accepts(0xFFFFFFFF, 1));
  BOOST_TEST(!accepts(0xFFFFFFFF, 128));
}

BOOST_AUTO_TEST_CASE(requests_are_written_as_they_are_read) {
  for (const auto version : versions)
    for (const std::uint8_t kind : {0, 1, 2, 3, 4, 5}) {
      if (kind == 5 && version != pagestream_version::v4) continue;
      pagestream_request request{.kind = static_cast<request_kind>(kind),
                                 .id = 77,
                                 .request_lsn = core::lsn(0x500),
                                 .not_modified_since = core::lsn(0x400),
                                 .relation = {1663, 5, 16384, pg::fork::vm},
                                 .block = 9,
                                 .count = 3,
                                 .slru = pg::slru_kind::multixact_offsets,
                                 .slru_segment = 12};
      core::bytes message;
      append_request(message, version, request);
      BOOST_TEST(message[0] == 'd');
      BOOST_TEST(core::load_be<std::uint32_t>(message.data() + 1) == message.size() - 1);
      const auto read = parse_request(payload_of(message), version);
      BOOST_REQUIRE(read);
      core::bytes again;
      append_request(again, version, *read);
      BOOST_TEST(again == message);
    }
  core::bytes message;
  append_request(message, pagestream_version::v4, *parse_request(range_request(9, 2), pagestream_version::v4));
  BOOST_TEST(payload_of(message) == range_request(9, 2), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_range_response_has_its_echo_count_checksum_and_pages) {
  const auto raw = range_request(9, 3);
  const auto request = *parse_request(raw, pagestream_version::v4);
  const core::bytes out = range_message(request);
  BOOST_TEST(out.size() == page_response_size(pagestream_version::v4, request));
  BOOST_TEST(out.size() == 5u + 1 + 45 + 8 + 3 * 8192);
  BOOST_TEST(core::load_be<std::uint32_t>(out.data() + 1) == out.size() - 1);
  BOOST_TEST(out[5] == 106);
  BOOST_TEST(core::bytes(out.begin() + 6, out.begin() + 51) == core::bytes(raw.begin() + 1, raw.end()));
  BOOST_TEST(core::load_be<std::uint32_t>(out.data() + 51) == 3u);
  BOOST_TEST(core::load_be<std::uint32_t>(out.data() + 55) == pg::crc32c(core::bytes_view(out).subspan(59)));

  const core::bytes payload = payload_of(out);
  const auto response = parse_range_response(payload, request);
  BOOST_REQUIRE(response);
  BOOST_TEST(!response->failure);
  BOOST_TEST(core::bytes(response->pages.begin(), response->pages.end()) == core::bytes(out.begin() + 59, out.end()));
}

BOOST_AUTO_TEST_CASE(a_range_response_that_is_damaged_or_another_one_is_corrupt) {
  const auto request = *parse_request(range_request(9, 2), pagestream_version::v4);
  const core::bytes good = payload_of(range_message(request));
  const auto is_corrupt = [&](const core::bytes& payload) {
    const auto response = parse_range_response(payload, request);
    return !response && response.error().code == core::errc::corrupt;
  };
  // Each byte counts: of the head all, of the pages some.
  for (std::size_t at = 0; at < good.size(); at += at < 64 ? 1 : 997) {
    core::bytes damaged = good;
    damaged[at] ^= 1;
    BOOST_TEST(is_corrupt(damaged), at);
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{20}, std::size_t{53}, good.size() - 1})
    BOOST_TEST(is_corrupt({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}), size);
  core::bytes longer = good;
  longer.push_back(0);
  BOOST_TEST(is_corrupt(longer));
}

BOOST_AUTO_TEST_CASE(an_error_has_its_sqlstate_in_version_4) {
  const auto request = *parse_request(range_request(9, 2), pagestream_version::v4);
  for (const auto code : {core::errc::not_found, core::errc::out_of_range, core::errc::corrupt, core::errc::busy,
                          core::errc::unavailable, core::errc::timeout, core::errc::io_error}) {
    core::bytes out;
    append_request_error(out, pagestream_version::v4, request, {code, "why"});
    BOOST_TEST(core::load_be<std::uint32_t>(out.data() + 1) == out.size() - 1);
    const auto response = parse_range_response(payload_of(out), request);
    BOOST_REQUIRE(response);
    BOOST_REQUIRE(response->failure);
    BOOST_TEST(response->failure->code == code);
    BOOST_TEST(response->failure->detail == "why");

    core::bytes plain;
    append_request_error(plain, pagestream_version::v3, request, {code, "why"});
    BOOST_TEST(plain.size() + 6 == out.size());
  }
}

BOOST_AUTO_TEST_CASE(the_position_follows_the_rules_of_the_protocol) {
  pagestream_request request;
  const core::lsn last(0x1000);
  const auto ask = [&](std::uint64_t at, std::uint64_t since) {
    request.request_lsn = core::lsn(at);
    request.not_modified_since = core::lsn(since);
    return position_of(request, last);
  };
  BOOST_TEST(!ask(0, 0));
  BOOST_TEST(!ask(0x100, 0x200));
  const auto newest = ask(~0ull, 0x800);
  BOOST_REQUIRE(newest);
  BOOST_TEST(newest->at.value == 0x1000u);
  BOOST_TEST(!newest->wait);
  const auto past = ask(0x900, 0x800);
  BOOST_REQUIRE(past);
  BOOST_TEST(past->at.value == 0x900u);
  const auto ahead = ask(~0ull, 0x2000);
  BOOST_REQUIRE(ahead);
  BOOST_TEST(ahead->at.value == 0x2000u);
  BOOST_TEST(ahead->wait);
}

BOOST_AUTO_TEST_SUITE_END()
