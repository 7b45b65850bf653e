#include "control/listen_address.hpp"

#include <arpa/inet.h>

#include <cstring>

#include "core/address.hpp"

namespace strata::control {

core::result<std::string> checked_listen_address(const std::string& given, bool insecure) {
  std::string address = given;
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (address == "localhost") return std::string("127.0.0.1");
  in6_addr parsed{};
  if (::inet_pton(AF_INET, address.c_str(), &parsed) != 1 && ::inet_pton(AF_INET6, address.c_str(), &parsed) != 1)
    return core::error{core::errc::invalid_argument, "\"" + given.substr(0, 64) + "\" is not an IP address"};
  // Only IPv4 reaches it.
  if (in_addr mapped{}; address.find(':') != std::string::npos && IN6_IS_ADDR_V4MAPPED(&parsed)) {
    std::memcpy(&mapped, &parsed.s6_addr[12], sizeof mapped);
    char text[INET_ADDRSTRLEN] = "";
    address = ::inet_ntop(AF_INET, &mapped, text, sizeof text);
  }
  if (!insecure && !core::is_loopback(address))
    return core::error{core::errc::invalid_argument,
                       "other machines can reach " + address +
                           ", and neither the HTTP API nor the page and WAL services authenticate clients: any client "
                           "can read, change and delete everything. --insecure allows it"};
  return address;
}

}  // namespace strata::control
