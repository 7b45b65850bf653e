#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::pg::files {

/// A transaction number with its epoch in the upper half, so that it never wraps.
using full_transaction_id = std::uint64_t;

/// The counters of a cluster at one moment: the data of a checkpoint record and the copy of it in pg_control. 88 bytes
/// in every supported major (docs/formats/cluster_files.md).
struct checkpoint {
  static constexpr std::size_t encoded_size = 88;

  core::lsn redo;
  std::uint32_t timeline = 1;
  std::uint32_t previous_timeline = 1;
  bool full_page_writes = true;
  std::int32_t wal_level = 0;  ///< majors 17 and 18; zero before
  full_transaction_id next_xid = 3;
  oid next_oid = 0;
  multixact_id next_multixact = 1;
  std::uint32_t next_multixact_offset = 0;
  transaction_id oldest_xid = 3;
  oid oldest_xid_database = 1;
  multixact_id oldest_multixact = 1;
  oid oldest_multixact_database = 1;
  std::int64_t time = 0;  ///< seconds since 1970
  transaction_id oldest_commit_timestamp_xid = 0;
  transaction_id newest_commit_timestamp_xid = 0;
  transaction_id oldest_active_xid = 0;  ///< 0 in a shutdown checkpoint

  bool operator==(const checkpoint&) const = default;

  /// Exactly encoded_size bytes, padding zero.
  [[nodiscard]] std::array<std::uint8_t, encoded_size> encode() const;
  /// From the first encoded_size bytes; errc::corrupt if there are fewer.
  static core::result<checkpoint> decode(core::bytes_view from);
};

}  // namespace strata::pg::files
