#include "control/kept_ports.hpp"

#include "control/server_file.hpp"

namespace strata::control {

std::uint16_t port_kept_by(const config::server_options& options, const std::string& name) {
  const std::string file = options.directory + "/" + name + ".port";
  return need(kept_port(options.directory, name), "can't use " + file,
              "write a port into it, or remove it to choose another one");
}

void keep_opened(const config::server_options& options, const std::string& name, std::uint16_t asked,
                 std::uint16_t opened) {
  const std::uint16_t kept = port_kept_by(options, name);
  // What was opened in place of the kept one is for this time.
  if (opened == kept || (asked == 0 && kept != 0)) return;
  need(keep_port(options.directory, name, opened), "can't store the " + name + " port");
}

}  // namespace strata::control
