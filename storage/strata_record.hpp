#pragma once

#include <cstdint>
#include <span>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/slru.hpp"
#include "pg/types.hpp"

namespace strata::storage {

/// Page changes that WAL implies without a block reference: SLRU pages and visibility map bits. Each changes exactly
/// one page. The builders append a change to the payload of a value_kind::strata_record. A payload may hold several
/// changes, applied in order, or none: with initial_flag that is a page of zeros. (docs/formats/values.md)
struct multixact_member {
  pg::transaction_id xid = 0;
  std::uint32_t status = 0;
};

enum class transaction_status : std::uint8_t { in_progress = 0, committed = 1, aborted = 2, sub_committed = 3 };

void encode_clog_status(core::bytes& to, transaction_status status,
                        std::span<const pg::transaction_id> xids_of_one_page);
void encode_multixact_offset(core::bytes& to, pg::multixact_id multixact, std::uint32_t offset);
void encode_multixact_members(core::bytes& to, std::uint32_t first_offset,
                              std::span<const multixact_member> members_of_one_page);
void encode_visibility_clear(core::bytes& to, pg::block_number heap_block, std::uint8_t bits);
/// The heap was cut to `heap_blocks` blocks: bits after it on its last map page become zero.
void encode_visibility_truncate(core::bytes& to, pg::block_number heap_blocks);

void encode_commit_timestamps(core::bytes& to, const pg::files::commit_timestamp& value,
                              std::span<const pg::transaction_id> xids_of_one_page);

/// Applies a payload to its page. errc::corrupt when it is malformed or does not fit the page.
core::result<void> apply_strata_record(core::bytes_view payload, core::bytes_span page);

}  // namespace strata::storage
