#pragma once

#include <cstdint>
#include <variant>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/files/slru.hpp"
#include "pg/records/packed.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::records {

template <>
struct packed_element<files::multixact_member> {
  static constexpr std::size_t size = 8;
  static files::multixact_member load(const std::uint8_t* from) {
    return {core::load_le<transaction_id>(from), static_cast<std::uint8_t>(core::load_le<std::uint32_t>(from + 4))};
  }
};

/// A new page of a status file is zeros. `page` counts through all segments.
struct slru_zero_page {
  slru_kind kind = slru_kind::clog;
  std::uint32_t page = 0;
};

struct clog_truncate {
  std::uint32_t page = 0;  ///< the first to keep
  transaction_id oldest_xid = 0;
  oid oldest_xid_database = 0;
};

struct multixact_create {
  multixact_id id = 0;
  std::uint32_t offset = 0;  ///< where its members begin
  packed_array<files::multixact_member> members;
};

struct multixact_truncate {
  oid oldest_database = 0;
  multixact_id offsets_begin = 0;  ///< the old oldest
  multixact_id offsets_end = 0;    ///< the new oldest
  std::uint32_t members_begin = 0;
  std::uint32_t members_end = 0;
};

struct commit_ts_truncate {
  std::uint32_t page = 0;  ///< the first to keep
  transaction_id oldest_xid = 0;
};

/// A record of the clog resource manager.
using clog_record = std::variant<slru_zero_page, clog_truncate>;
core::result<clog_record> decode_clog(const wal::record& from, major_version major);

/// A record of the multixact resource manager.
using multixact_record = std::variant<slru_zero_page, multixact_create, multixact_truncate>;
core::result<multixact_record> decode_multixact(const wal::record& from, major_version major);

/// A record of the resource manager of commit timestamps, whose values are in the records of commits.
using commit_ts_record = std::variant<slru_zero_page, commit_ts_truncate>;
core::result<commit_ts_record> decode_commit_ts(const wal::record& from, major_version major);

}  // namespace strata::pg::records
