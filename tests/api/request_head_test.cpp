#include "api/request_head.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/support/printing.hpp"

namespace strata::api {
namespace {

BOOST_AUTO_TEST_SUITE(api_request_head)

BOOST_AUTO_TEST_CASE(a_head_is_found_only_when_it_is_whole) {
  const std::string whole = "PUT /v1/tenant/config?x=1 HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  12 \r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) BOOST_TEST(!find_head(whole.substr(0, size)), size);
  const std::string with_body = whole + "{\"a\": 1}";
  const auto head = find_head(with_body);
  BOOST_TEST_REQUIRE(head);
  BOOST_TEST(head->method == "PUT");
  BOOST_TEST(head->path == "/v1/tenant/config");
  BOOST_TEST(head->size == whole.size());
  BOOST_TEST(head->body_size == 12u);
  BOOST_TEST(!head->body_unknown);
  BOOST_TEST(!head->wants_continue);
}

BOOST_AUTO_TEST_CASE(lines_may_end_without_a_carriage_return) {
  const auto head = find_head("GET /livez HTTP/1.0\nExpect: 100-Continue\n\n");
  BOOST_TEST_REQUIRE(head);
  BOOST_TEST(head->path == "/livez");
  BOOST_TEST(head->wants_continue);
}

BOOST_AUTO_TEST_CASE(a_body_whose_end_cannot_be_told_is_not_guessed) {
  for (const char* headers :
       {"Transfer-Encoding: chunked\r\n", "Content-Length: -1\r\n", "Content-Length: 5x\r\n", "Content-Length: \r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n"}) {
    const auto head = find_head("POST /v1/source HTTP/1.1\r\n" + std::string(headers) + "\r\n");
    BOOST_TEST_REQUIRE(head.has_value(), headers);
    BOOST_TEST(head->body_unknown, headers);
    BOOST_TEST(head->body_size == 0u, headers);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_http_has_no_method) {
  for (const char* line : {"", "GET", "GET /", "GET / HTTP/2.0", "\x16\x03\x01", "/livez HTTP/1.1"}) {
    const auto head = find_head(std::string(line) + "\r\n\r\n");
    BOOST_TEST_REQUIRE(head.has_value(), line);
    BOOST_TEST(head->method.empty(), line);
  }
}

BOOST_AUTO_TEST_CASE(a_head_tells_whether_more_may_follow_and_what_its_body_is) {
  const auto head = [](const std::string& first, const std::string& headers) {
    static std::string text;
    text = first + "\r\n" + headers + "\r\n";
    return *find_head(text);
  };
  BOOST_TEST(!head("GET / HTTP/1.1", "").closes);
  BOOST_TEST(head("GET / HTTP/1.0", "").closes);
  BOOST_TEST(!head("GET / HTTP/1.0", "Connection: Keep-Alive\r\n").closes);
  BOOST_TEST(head("GET / HTTP/1.1", "connection: Close\r\n").closes);
  BOOST_TEST(head("PUT / HTTP/1.1", "Content-Encoding: gzip\r\n").has_content_encoding);
  BOOST_TEST(head("PUT / HTTP/1.1", "Transfer-Encoding: chunked\r\n").has_transfer_encoding);
  BOOST_TEST(head("GET /a?b=1?2#c HTTP/1.1", "").query == "b=1?2");
  BOOST_TEST(head("GET /a#b?c HTTP/1.1", "").path == "/a");
}

BOOST_AUTO_TEST_CASE(a_query_is_taken_apart_and_decoded) {
  const auto members = query_members("a=1&b=x%20y+z&&c&a=2&d=%zz&%65=%3d&");
  const std::map<std::string, std::string> expected{{"a", "1"}, {"b", "x y z"}, {"c", ""}, {"d", "%zz"}, {"e", "="}};
  BOOST_TEST((members == expected));
  BOOST_TEST(query_members("").empty());
}

BOOST_AUTO_TEST_CASE(a_request_takes_the_share_of_the_tenant_that_it_names) {
  const std::string id(32, 'a');
  const std::string other(32, '7');
  BOOST_TEST(group_of(lane::queries, "/v1/tenant/" + id, "") == id);
  BOOST_TEST(group_of(lane::changes, "/v1/tenant/" + std::string(32, 'A') + "/timeline/" + other + "/point", "") == id);
  BOOST_TEST(group_of(lane::changes, "/v1/tenant/config", R"({"gc_horizon": 1, "tenant_id" : ")" + id + "\"}") == id);
  BOOST_TEST(group_of(lane::long_work, "/v1/pull_timeline", R"({"tenant_id":")" + other + "\"}") == other);
  BOOST_TEST(group_of(lane::changes, "/v1/tenant/config", R"({"tenant_id")") == "/v1/tenant/config");
  BOOST_TEST(group_of(lane::long_work, "/v1/source", R"({"name": "a"})") == "/v1/source");
  BOOST_TEST(group_of(lane::process, "/metrics", "") == "");
  BOOST_TEST(group_of(lane::liveness, "/livez", "") == "");
}

BOOST_AUTO_TEST_CASE(each_request_has_the_lane_of_what_it_may_wait_for) {
  const std::string timeline = "/v1/tenant/a/timeline/b";
  const auto is = [](const char* method, const std::string& path, lane expected) {
    BOOST_TEST((lane_of(method, path) == expected), method << " " << path);
  };
  is("GET", "/livez", lane::liveness);
  is("HEAD", "/livez", lane::liveness);
  for (const char* path : {"/v1/status", "/metrics", "/readyz", "/v1/actors", "/v1/pools", "/openapi.json"})
    is("GET", path, lane::process);
  for (const std::string& path : {std::string("/v1/tenant"), timeline, timeline + "/layer", timeline + "/safekeepers"})
    is("GET", path, lane::queries);
  is("GET", timeline + "/export", lane::export_start);
  is("GET", timeline + "/digest", lane::long_work);
  is("POST", "/v1/tenant/a/timeline", lane::changes);
  is("DELETE", timeline, lane::changes);
  is("PUT", "/v1/tenant/config", lane::changes);
  is("POST", "/v1/source", lane::long_work);
  is("PUT", timeline + "/checkpoint", lane::long_work);
  is("PUT", timeline + "/compact", lane::long_work);
  is("PUT", timeline + "/do_gc", lane::long_work);
  is("POST", "/v1/pull_timeline", lane::long_work);
  is("POST", timeline + "/point", lane::changes);  // a wait holds no thread
  is("DELETE", "/v1/tenant/a", lane::long_work);   // talks to its source
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::api
