#pragma once

#include <memory>
#include <string>

#include "storage/layers/layer_file.hpp"

/// Layers as SST tables of RocksDB. Private to the layer files.
namespace strata::storage {

core::result<std::unique_ptr<layer_writer>> create_table_layer(const layer_writer_options& options);
core::result<std::shared_ptr<const layer_reader>> open_table_layer(const std::string& path,
                                                                   const layer_identity& expected, block_cache& cache);

}  // namespace strata::storage
