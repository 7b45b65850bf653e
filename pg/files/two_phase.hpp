#pragma once

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::pg::files {

/// A file of pg_twophase is the main data of the PREPARE record, followed by a CRC-32C. Strata stores the former.

/// The record's main data, a view into `file`; errc::corrupt if the CRC or the length in the header is wrong.
core::result<core::bytes_view> decode_two_phase_file(core::bytes_view file);
core::bytes encode_two_phase_file(core::bytes_view main_data);

}  // namespace strata::pg::files
