#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/options.hpp"
#include "control/scope.hpp"

namespace strata::control {

/// What the person who starts a server has chosen; the rest comes from strata.toml.
struct server_choices {
  std::optional<std::uint16_t> http_port;
  std::optional<std::uint16_t> page_port;
  std::optional<std::uint16_t> broker_port;
  std::optional<std::uint32_t> safekeepers;
  std::optional<std::string> listen_address;
  bool insecure = false;  ///< listen also where others than programs of this machine connect
};

/// The options of the directory's server: what was chosen, else strata.toml, else the defaults. Ports chosen as 0 are
/// free ones.
config::server_options choose_server_options(const scope& of, const server_choices& asked);

/// Takes the directory for a server: what is created in it from now on by this process is closed to others.
void take_server_directory(const std::string& directory);

/// False only if the running server has no source.
bool may_have_sources(const scope& of);

}  // namespace strata::control
