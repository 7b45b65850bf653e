#pragma once

#include "core/bytes.hpp"

namespace strata::pg::wal {

/// Decompresses Postgres's own compression, without any header (src/common/pg_lzcompress.c in Postgres). False unless
/// `packed` ends exactly when `into` is full. Never reads or writes outside the two, whatever `packed` contains.
bool decompress_pglz(core::bytes_view packed, core::bytes_span into);

}  // namespace strata::pg::wal
