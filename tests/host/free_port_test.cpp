#include "host/free_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <set>
#include <vector>

#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

/// As a server does it; the socket, or none.
io::unique_fd listen_on(std::uint16_t port) {
  io::unique_fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 8) != 0)
    return {};
  return socket;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(host_free_port)

BOOST_AUTO_TEST_CASE(no_two_have_the_same_port) {
  // Of 12,001 ports: chosen without a claim, some two of 400 are the same in 99.8 % of all cases.
  std::vector<host::claimed_port> claims;
  std::set<std::uint16_t> numbers;
  for (int i = 0; i < 400; ++i) {
    auto claimed = host::claimed_port::choose();
    BOOST_REQUIRE(claimed);
    numbers.insert(claimed->number());
    claims.push_back(*std::move(claimed));
  }
  BOOST_TEST(numbers.size() == claims.size());
}

BOOST_AUTO_TEST_CASE(a_server_can_listen_on_a_claimed_port) {
  const auto claimed = host::claimed_port::choose();
  BOOST_REQUIRE(claimed);
  BOOST_TEST(host::check_port(claimed->number()).has_value());
  const auto server = listen_on(claimed->number());
  BOOST_TEST(bool(server));
  BOOST_TEST(host::check_port(claimed->number()).error().code == core::errc::conflict);
  BOOST_TEST(!bool(listen_on(claimed->number())));
}

BOOST_AUTO_TEST_CASE(a_port_that_is_claimed_by_its_number_is_claimed_once) {
  auto chosen = host::claimed_port::choose();
  BOOST_REQUIRE(chosen);
  const std::uint16_t number = chosen->number();
  BOOST_TEST(host::claimed_port::claim(number).error().detail.ends_with("is being given to another compute"));
  chosen = core::error{core::errc::busy, "given back"};
  const auto claimed = host::claimed_port::claim(number);
  BOOST_REQUIRE(claimed);
  BOOST_TEST((host::claimed_port::claim(number).error().code == core::errc::conflict));
  const auto server = listen_on(number);
  BOOST_TEST(bool(server));
  BOOST_TEST(host::claimed_port::claim(number).error().detail.ends_with("is taken by another program"));
}

BOOST_AUTO_TEST_CASE(a_port_is_free_again_after_its_claim) {
  std::uint16_t number = 0;
  {
    const auto claimed = host::claimed_port::choose();
    BOOST_REQUIRE(claimed);
    number = claimed->number();
  }
  BOOST_TEST(bool(listen_on(number)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
