#pragma once

#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"

namespace strata::wal {

/// A small file that is replaced as a whole: magic, format version, length, payload, XXH3 of them all
/// (docs/formats/wal_log.md).
inline constexpr std::size_t control_payload_max = 1u << 20;

/// Durable on return; a crash in between leaves the old file or the new one.
core::result<void> replace_control_file(io::disk& on, const std::string& directory, const std::string& name,
                                        core::bytes_view payload);
/// errc::not_found; errc::corrupt names the file; errc::unsupported for a newer format.
core::result<core::bytes> read_control_file(io::disk& on, const std::string& directory, const std::string& name);

}  // namespace strata::wal
