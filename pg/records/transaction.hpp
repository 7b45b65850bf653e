#pragma once

#include <cstdint>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/records/packed.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::records {

/// Operations of the transaction resource manager: record.info & transaction_operation_mask.
inline constexpr std::uint8_t transaction_operation_mask = 0x70;
enum class transaction_operation : std::uint8_t {
  commit = 0x00,
  prepare = 0x10,
  abort = 0x20,
  commit_prepared = 0x30,
  abort_prepared = 0x40,
  assignment = 0x50,
  invalidations = 0x60,
};
inline transaction_operation transaction_operation_of(const wal::record& of) {
  return transaction_operation{static_cast<std::uint8_t>(of.info & transaction_operation_mask)};
}

/// Whether it is one of the four ends, two of which are those of prepared transactions.
inline bool ends_transaction(const wal::record& of) {
  const auto operation = transaction_operation_of(of);
  return operation == transaction_operation::commit || operation == transaction_operation::abort ||
         operation == transaction_operation::commit_prepared || operation == transaction_operation::abort_prepared;
}

/// The end of a transaction, of any of the four kinds. Views point into the record.
struct transaction_end {
  bool committed = false;
  bool prepared = false;   ///< ends a prepared transaction: its state file is removed
  transaction_id xid = 0;  ///< the transaction that ends, also in the prepared forms
  timestamp time = 0;
  std::uint32_t flags = 0;  ///< "xinfo", as recorded
  oid database = 0;         ///< 0 unless recorded
  oid tablespace = 0;
  packed_array<transaction_id> subtransactions;
  /// Relations whose files are removed now: all forks of each; `fork` of the elements is unused.
  packed_array<relation_fork> dropped;
  core::lsn origin_lsn;  ///< progress of the replication origin (record.origin); 0 unless recorded
  timestamp origin_time = 0;
};
/// Precondition: the record is of the transaction manager and one of the four ends.
core::result<transaction_end> decode_transaction_end(const wal::record& from, major_version major);

/// A transaction prepared for two-phase commit. The state file to keep is the record's whole main data.
struct transaction_prepare {
  transaction_id xid = 0;
  oid database = 0;
  timestamp time = 0;
  packed_array<transaction_id> subtransactions;
  core::lsn origin_lsn;    ///< progress of the replication origin (record.origin); 0: it has none
  core::bytes_view state;  ///< content of the pg_twophase file (files/two_phase.hpp)
};
core::result<transaction_prepare> decode_transaction_prepare(const wal::record& from, major_version major);
/// The same from stored state, e.g. an imported file.
core::result<transaction_prepare> decode_prepared_state(core::bytes_view state, major_version major);

}  // namespace strata::pg::records
