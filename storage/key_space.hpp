#pragma once

#include <cstdint>
#include <optional>

#include "core/page_key.hpp"
#include "pg/types.hpp"

namespace strata::storage {

/// The keys of a timeline and their values (docs/formats/keys.md). Kinds are on disk: never renumber.
///
/// Dense kinds (pages): a missing key of a page that exists by the catalog is data loss.
/// Sparse kinds (everything else): a missing key, or one whose newest value is empty, means "does not exist"; all their
/// values are images, so a scan never needs redo.
enum class key_kind : std::uint8_t {
  relation_page = 0x00,     ///< (tablespace, database, relation, fork, block)
  slru_page = 0x01,         ///< tablespace = pg::slru_kind, block = page number over all segments
  two_phase = 0x02,         ///< sparse; block = xid; the state file without its CRC
  control_file = 0x03,      ///< sparse; block 0: pg_control as imported; block 1: the 88-byte checkpoint, kept current;
                            ///< block 2: where standbys can begin (mapping/standby_start.hpp)
  relation_catalog = 0x60,  ///< sparse; (tablespace, database, relation, fork): u32 size in blocks; empty = dropped
  database_catalog = 0x61,  ///< sparse; (tablespace, database): one byte 1; empty = dropped
  relation_map = 0x62,      ///< sparse; (tablespace, database): bytes of pg_filenode.map
  slru_catalog = 0x63,  ///< sparse; tablespace = pg::slru_kind, relation = segment number: u32 pages; empty = dropped
  tablespace_catalog = 0x64,  ///< sparse; tablespace: one byte 1; empty = dropped
  replication_origin = 0x65,  ///< sparse; block = origin id: u64 remote LSN; empty = dropped
};

constexpr bool is_sparse(const core::page_key& key) { return key.kind >= 0x02; }

core::page_key relation_page_key(const pg::relation_fork& of, pg::block_number block);
core::page_key relation_catalog_key(const pg::relation_fork& of);
core::page_key database_catalog_key(pg::oid tablespace, pg::oid database);
core::page_key relation_map_key(pg::oid tablespace, pg::oid database);
core::page_key tablespace_catalog_key(pg::oid tablespace);
core::page_key slru_page_key(pg::slru_kind kind, std::uint32_t page);
core::page_key slru_catalog_key(pg::slru_kind kind, std::uint32_t segment);
core::page_key two_phase_key(pg::transaction_id xid);
core::page_key replication_origin_key(std::uint16_t origin);
core::page_key control_file_key();
core::page_key checkpoint_key();
core::page_key standby_start_key();

/// The inverse of relation_page_key and relation_catalog_key for keys of those kinds.
pg::relation_fork relation_of(const core::page_key& key);

/// All keys of one kind; with a tablespace, and a database, only its keys.
core::key_range kind_range(key_kind kind);
core::key_range kind_range(key_kind kind, std::uint32_t tablespace);
core::key_range kind_range(key_kind kind, std::uint32_t tablespace, std::uint32_t database);

}  // namespace strata::storage
