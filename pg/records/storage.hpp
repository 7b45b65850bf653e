#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/records/packed.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::records {

struct relation_create {
  relation_fork relation;
};
struct relation_truncate {
  relation_fork relation;       ///< main fork
  block_number new_blocks = 0;  ///< of the main fork; the other forks follow from it
  bool main = false;            ///< which forks are cut
  bool vm = false;
  bool fsm = false;
};
/// A record of the storage resource manager.
using storage_record = std::variant<relation_create, relation_truncate>;
core::result<storage_record> decode_storage(const wal::record& from);

/// CREATE DATABASE by copying files: every relation of the source as of this record's start is in the new one.
struct database_copy {
  oid database = 0;
  oid tablespace = 0;
  oid source_database = 0;
  oid source_tablespace = 0;
};
/// CREATE DATABASE by logging: the directory only; pages and the relation map follow in records of their own.
struct database_create {
  oid database = 0;
  oid tablespace = 0;
};
struct database_drop {
  oid database = 0;
  packed_array<oid> tablespaces;
};
/// A record of the database resource manager (major 14 numbers its operations differently).
using database_record = std::variant<database_copy, database_create, database_drop>;
core::result<database_record> decode_database(const wal::record& from, major_version major);

struct tablespace_create {
  oid tablespace = 0;
  std::string_view path;  ///< empty: inside the data directory
};
struct tablespace_drop {
  oid tablespace = 0;
};
/// A record of the tablespace resource manager.
using tablespace_record = std::variant<tablespace_create, tablespace_drop>;
core::result<tablespace_record> decode_tablespace(const wal::record& from);

/// pg_filenode.map of a database (0: the shared one) is replaced by `content`.
struct relation_map_update {
  oid database = 0;
  oid tablespace = 0;
  core::bytes_view content;
};
core::result<relation_map_update> decode_relation_map(const wal::record& from, major_version major);

}  // namespace strata::pg::records
