#pragma once

#include "consensus/acceptor.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::journal {

/// The payload of a timeline's control file (docs/formats/wal_log.md).
core::bytes encode(const consensus::acceptor_state& of);
/// errc::corrupt for a state that no acceptor can have; errc::unsupported for a newer format.
core::result<consensus::acceptor_state> decode_acceptor_state(core::bytes_view from);

}  // namespace strata::journal
