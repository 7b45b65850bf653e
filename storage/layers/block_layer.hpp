#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "io/file.hpp"
#include "storage/layers/layer_file.hpp"

/// The layer format of our own (docs/formats/layers.md). Private to the layer files.
namespace strata::storage {

inline constexpr std::array<std::uint8_t, 8> block_layer_magic{'S', 't', 'L', 'a', 'y', 'e', 'r', 0x0A};

core::result<std::unique_ptr<layer_writer>> create_block_layer(const layer_writer_options& options);
core::result<std::shared_ptr<const layer_reader>> open_block_layer(io::unique_fd file, const std::string& path,
                                                                   const layer_identity& expected, block_cache& cache);

}  // namespace strata::storage
