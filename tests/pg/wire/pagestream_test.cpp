#include "pg/wire/pagestream.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::wire;

namespace {

core::bytes page_request(pagestream_version version) {
  core::bytes raw{2};
  if (version == pagestream_version::v3) core::append_be<std::uint64_t>(raw, 77);
  core::append_be<std::uint64_t>(raw, 0x500);
  core::append_be<std::uint64_t>(raw, 0x400);
  for (std::uint32_t field : {1663u, 5u, 16384u}) core::append_be(raw, field);
  raw.push_back(2);
  core::append_be<std::uint32_t>(raw, 9);
  return raw;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_wire_pagestream)

BOOST_AUTO_TEST_CASE(a_page_request_is_read_in_both_versions) {
  for (const auto version : {pagestream_version::v2, pagestream_version::v3}) {
    const auto request = parse_request(page_request(version), version);
    BOOST_REQUIRE(request);
    BOOST_TEST(request->kind == request_kind::page);
    BOOST_TEST(request->id == (version == pagestream_version::v3 ? 77u : 0u));
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
    append_request_error(out, pagestream_version::v3, echo_of(raw, pagestream_version::v3), "why");
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
  const auto page = append_page(out, pagestream_version::v3, request);
  BOOST_TEST(out.size() == page_response_size(pagestream_version::v3));
  BOOST_TEST(out[0] == 'd');
  BOOST_TEST(core::load_be<std::uint32_t>(out.data() + 1) == out.size() - 1);
  BOOST_TEST(out[5] == 102);
  const core::bytes echoed(out.begin() + 6, out.begin() + static_cast<std::ptrdiff_t>(page));
  BOOST_TEST(echoed == core::bytes(raw.begin() + 1, raw.end()), boost::test_tools::per_element());

  core::bytes plain;
  const auto offset = append_page(plain, pagestream_version::v2, request);
  BOOST_TEST(offset == 6u);
  BOOST_TEST(plain.size() == page_response_size(pagestream_version::v2));
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
