#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "io/disk.hpp"

namespace strata::storage {

/// The version of a directory's format.
inline constexpr std::uint32_t directory_version = 5;

/// Checks the file STRATA, which marks a directory as Strata's and holds its format version (docs/formats/metadata.md);
/// writes the file when the directory is new. errc::unsupported for another version, errc::corrupt when the file is
/// damaged, or missing although `in_use`.
core::result<void> check_identity_file(io::disk& on, const std::string& directory, bool in_use);
/// Durable on return.
core::result<void> write_identity_file(io::disk& on, const std::string& directory);

}  // namespace strata::storage
