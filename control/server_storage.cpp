#include "control/server_storage.hpp"

#include "control/failure.hpp"

namespace strata::control {

server_storage open_server_storage(const config::server_options& options) {
  server_storage made;
  auto metadata = storage::metadata_store::open(options.directory + "/metadata", options.directory + "/tenants");
  if (!metadata) {
    const core::errc code = metadata.error().code;
    const bool damaged = code == core::errc::corrupt || code == core::errc::io_error;
    throw failure(metadata.error(), "can't open the server's metadata",
                  code == core::errc::disk_full ? "free disk space there, then strata up --dir " + options.directory
                                                : std::string(damaged ? "strata metadata rebuild" : "strata down") +
                                                      " --dir " + options.directory);
  }
  made.metadata = *std::move(metadata);
  made.layers = std::make_unique<storage::layer_cache>(options.block_cache_bytes, options.open_layers_max);
  return made;
}

}  // namespace strata::control
