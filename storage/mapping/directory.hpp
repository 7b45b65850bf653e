#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"
#include "storage/timeline/timeline_store.hpp"

/// Relations, databases and transaction-status files of Postgres, read from a timeline at an LSN. All functions share
/// the preconditions of timeline_store::read_pages: the caller has waited for the LSN and checked the window.
/// Functions without a read_mode may block.
namespace strata::storage::mapping {

/// Size in blocks; nullopt when there is no such fork at that LSN.
core::result<std::optional<std::uint32_t>> relation_size(const timeline_store& store, const pg::relation_fork& of,
                                                         core::lsn at, read_mode mode);
core::result<bool> relation_exists(const timeline_store& store, const pg::relation_fork& of, core::lsn at,
                                   read_mode mode);

struct relation_entry {
  pg::relation_fork relation;
  std::uint32_t blocks = 0;
  bool operator==(const relation_entry&) const = default;
};
/// All forks of all relations of a database in one tablespace, by number and fork. Shared ones: global_tablespace, 0.
core::result<std::vector<relation_entry>> relations(const timeline_store& store, pg::oid tablespace, pg::oid database,
                                                    core::lsn at);

/// A directory of relations: a database has one in its own tablespace and one in each other that it uses.
struct database_entry {
  pg::oid tablespace = 0;
  pg::oid database = 0;
  bool operator==(const database_entry&) const = default;
};
/// All but that of the shared relations.
core::result<std::vector<database_entry>> databases(const timeline_store& store, core::lsn at);
/// All its relations in all tablespaces; errc::not_found when there is no such database.
core::result<std::uint64_t> database_size_bytes(const timeline_store& store, pg::oid database, core::lsn at);
/// The created ones, without the two built in.
core::result<std::vector<pg::oid>> tablespaces(const timeline_store& store, core::lsn at);

struct slru_segment_entry {
  std::uint32_t segment = 0;
  std::uint32_t pages = 0;
};
core::result<std::vector<slru_segment_entry>> slru_segments(const timeline_store& store, pg::slru_kind kind,
                                                            core::lsn at);
/// The whole segment file; errc::not_found when there is no such segment.
core::result<core::bytes> slru_segment(const timeline_store& store, pg::slru_kind kind, std::uint32_t segment,
                                       core::lsn at);

/// One page of a relation into the caller's page_size bytes, and the result.
struct page_request {
  pg::relation_fork relation;
  pg::block_number block = 0;
  core::bytes_span page;
  std::optional<core::error> failure;
  bool must_exist = false;
};
/// Each read succeeds or fails on its own. A block beyond the end is a page of zeros, or errc::out_of_range with the
/// number of blocks if it must exist; a missing fork fsm or vm has no blocks, a missing main or init fork is
/// errc::not_found. When the cluster has data checksums the pages include
/// theirs. memory_only: errc::would_block where the disk is needed.
void read_relation_pages(const timeline_store& store, std::span<page_request> requests, core::lsn at, read_mode mode);

}  // namespace strata::storage::mapping
