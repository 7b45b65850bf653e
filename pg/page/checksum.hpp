#pragma once

#include "core/bytes.hpp"
#include "pg/types.hpp"

namespace strata::pg::page {

/// The data checksum that Postgres expects in the header of this page at this block number of its relation, whatever
/// checksum is stored. `page` has page_size bytes.
std::uint16_t page_checksum(core::bytes_view page, block_number block);

/// Writes the checksum into the header. A new page has none and stays unchanged.
void set_page_checksum(core::bytes_span page, block_number block);

}  // namespace strata::pg::page
