#pragma once

#include <memory>

#include "config/options.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::control {

/// What a server has on its disk, and its memory of it; in the order in which they are opened.
struct server_storage {
  std::unique_ptr<storage::metadata_store> metadata;
  std::unique_ptr<storage::layer_cache> layers;
};
/// A failure says how damaged metadata are rebuilt.
server_storage open_server_storage(const config::server_options& options);

}  // namespace strata::control
