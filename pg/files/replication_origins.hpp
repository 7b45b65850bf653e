#pragma once

#include <cstdint>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::pg::files {

/// A subscriber's progress with one of its publishers.
struct origin_progress {
  std::uint16_t origin = 0;
  core::lsn remote;
  bool operator==(const origin_progress&) const = default;
};

/// pg_logical/replorigin_checkpoint (docs/formats/cluster_files.md). errc::corrupt names the wrong field.
core::result<std::vector<origin_progress>> decode_replication_origins(core::bytes_view file);
core::bytes encode_replication_origins(const std::vector<origin_progress>& origins);

}  // namespace strata::pg::files
