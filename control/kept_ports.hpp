#pragma once

#include <cstdint>
#include <string>

#include "config/options.hpp"
#include "control/failure.hpp"
#include "core/log.hpp"
#include "host/free_port.hpp"

namespace strata::control {

/// The port that the server's directory was given for `name`; 0: none yet.
std::uint16_t port_kept_by(const config::server_options& options, const std::string& name);
/// Keeps the opened port for the next start, unless the kept one was taken this time.
void keep_opened(const config::server_options& options, const std::string& name, std::uint16_t asked,
                 std::uint16_t opened);

/// Opens a port: the one asked for, else the one that the directory has had, else a free one, which it has from now on.
template <class Open>
auto open_port(const config::server_options& options, const std::string& name, std::uint16_t asked, const Open& open) {
  const std::string what = "can't open the port of the " + std::string(name == "http" ? "HTTP API" : "page service");
  const std::string next = "leave --" + name + "-port out to have the one that the directory had, or a free one";
  const std::uint16_t kept = port_kept_by(options, name);
  std::uint16_t port = asked != 0 ? asked : kept;
  auto opened = open(port != 0 ? port : need(host::free_port(), what));
  const bool may_choose = asked == 0;
  // One that was free a moment ago may be another's by now.
  constexpr int attempts = 10;
  for (int i = 0; i < attempts && !opened && may_choose && opened.error().code == core::errc::conflict; ++i) {
    if (i == 0 && kept != 0)
      core::log_warning("another program has port " + std::to_string(kept) + ", which the " + name +
                        " port of this directory is; this time it is another one");
    opened = open(need(host::free_port(), what));
  }
  const bool wrong_address = !opened && opened.error().code == core::errc::invalid_argument;
  return need(std::move(opened), what, wrong_address ? "name an address of this machine with --listen" : next);
}

}  // namespace strata::control
