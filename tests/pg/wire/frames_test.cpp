#include "pg/wire/frames.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

using namespace strata;
using namespace strata::pg::wire;

namespace {

core::bytes tagged(char tag, std::string_view body) {
  core::bytes frame{static_cast<std::uint8_t>(tag)};
  core::append_be(frame, static_cast<std::uint32_t>(body.size() + 4));
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

core::bytes startup(std::uint32_t code, std::string_view body) {
  core::bytes frame;
  core::append_be(frame, static_cast<std::uint32_t>(body.size() + 8));
  core::append_be(frame, code);
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_wire_frames)

BOOST_AUTO_TEST_CASE(the_first_packets_of_a_connection_are_told_apart) {
  const std::pair<std::uint32_t, frame_kind> codes[] = {{80877103, frame_kind::ssl_request},
                                                        {80877104, frame_kind::gss_request},
                                                        {80877102, frame_kind::cancel_request},
                                                        {3 << 16, frame_kind::startup}};
  for (const auto& [code, kind] : codes) {
    const auto parsed = parse_frame(startup(code, "12345678"), false);
    BOOST_REQUIRE(parsed && *parsed);
    BOOST_TEST((**parsed).size == 16u);
    BOOST_TEST((**parsed).body.size() == 8u);
    BOOST_TEST(((**parsed).kind == kind));
  }
}

BOOST_AUTO_TEST_CASE(a_frame_is_found_only_once_it_is_complete) {
  std::string query = "pagestream_v2 a b";
  query.push_back('\0');
  const auto whole = tagged('Q', query);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto parsed = parse_frame(core::bytes_view(whole).first(size), true);
    BOOST_REQUIRE(parsed);
    BOOST_TEST(!parsed->has_value());
  }
  const auto parsed = parse_frame(whole, true);
  BOOST_REQUIRE(parsed && *parsed);
  BOOST_TEST((**parsed).body.size() == query.size() - 1);
  BOOST_TEST((**parsed).size == whole.size());
}

BOOST_AUTO_TEST_CASE(foreign_protocols_and_absurd_lengths_are_refused_before_they_are_buffered) {
  const std::string http = "GET / HTTP/1.1\r\n\r\n";
  BOOST_TEST(!parse_frame(core::bytes(http.begin(), http.end()), false));
  BOOST_TEST(!parse_frame(startup(2 << 16, ""), false));
  BOOST_TEST(!parse_frame(core::bytes{'d', 0x7F, 0xFF, 0xFF, 0xFF}, true));
  BOOST_TEST(!parse_frame(core::bytes{'d', 0, 0, 0, 3}, true));
  BOOST_TEST(!parse_frame(core::bytes{'?', 0, 0, 0, 4}, true));
  BOOST_TEST(!parse_frame(tagged('Q', "no end"), true));
}

BOOST_AUTO_TEST_CASE(a_service_may_take_longer_frames) {
  const core::bytes long_frame = tagged('d', std::string(100'000, 'x'));
  BOOST_TEST(!parse_frame(long_frame, true));
  const auto taken = parse_frame(long_frame, true, 200'000);
  BOOST_REQUIRE(taken && *taken);
  BOOST_TEST((**taken).body.size() == 100'000u);
}

BOOST_AUTO_TEST_CASE(startup_parameters_are_pairs_with_an_end) {
  using namespace std::string_literals;
  const auto parse = [](const std::string& body) {
    return parse_startup_parameters(core::bytes(body.begin(), body.end()));
  };
  const auto pairs = parse("user\0me\0options\0-c a=b\0\0"s);
  BOOST_REQUIRE(pairs);
  BOOST_REQUIRE(pairs->size() == 2u);
  BOOST_TEST(((*pairs)[1] == std::pair<std::string, std::string>("options", "-c a=b")));
  BOOST_TEST(parse("\0"s)->empty());
  for (const auto& wrong : {""s, "user"s, "user\0"s, "user\0me"s, "user\0me\0"s, "\0x"s}) BOOST_TEST(!parse(wrong));
}

BOOST_AUTO_TEST_CASE(random_bytes_never_read_past_their_end) {
  std::mt19937 random(1);
  for (int round = 0; round < 200'000; ++round) {
    core::bytes input(random() % 24);
    for (auto& byte : input) byte = static_cast<std::uint8_t>(random());
    if (!input.empty() && random() % 2) input[0] = "QdcfpSHXPB"[random() % 10];
    const auto parsed = parse_frame(input, random() % 2 != 0);
    if (parsed && *parsed) BOOST_REQUIRE_LE((**parsed).size, input.size());
  }
}

BOOST_AUTO_TEST_CASE(backend_messages_carry_their_own_length) {
  core::bytes out;
  append_authentication_ok(out);
  append_parameter_status(out, "server_version", "15.0");
  append_error(out, "42704", "no such timeline");
  append_row_description(out, "valid_until");
  append_data_row(out, std::nullopt);
  append_data_row(out, "17");
  append_command_complete(out, "SELECT 1");
  append_copy_both_response(out);
  append_copy_done(out);
  append_ready_for_query(out);
  std::string tags;
  for (std::size_t at = 0; at < out.size();) {
    tags += static_cast<char>(out[at]);
    at += 1 + core::load_be<std::uint32_t>(out.data() + at + 1);
    BOOST_REQUIRE_LE(at, out.size());
  }
  BOOST_TEST(tags == "RSETDDCWcZ");
}

BOOST_AUTO_TEST_SUITE_END()
