#pragma once

#include <bitset>
#include <memory>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "pg/records/cluster.hpp"
#include "pg/records/storage.hpp"
#include "pg/records/transaction.hpp"
#include "pg/redo/visibility_map.hpp"
#include "storage/mapping/cluster_counters.hpp"
#include "storage/mapping/ingest.hpp"
#include "storage/mapping/relation_tracker.hpp"
#include "storage/mapping/slru_tracker.hpp"
#include "storage/mapping/standby_start.hpp"

namespace strata::storage::mapping {

/// What recall() has parsed of a record besides its blocks, for the rest of add(): records are parsed once. Views point
/// into the record. monostate: recall() had nothing to parse. Either the record only changes its blocks, or it is of a
/// kind whose needs its header tells, and add_meaning() parses it.
using record_meaning = std::variant<std::monostate, pg::redo::visibility_clears_of_record, pg::records::transaction_end,
                                    pg::records::storage_record, pg::records::xlog_record>;

/// State of ingest, and one function for each resource manager whose records change more than their blocks.
struct wal_ingest::state {
  explicit state(std::shared_ptr<timeline_store> of) : store(std::move(of)), relations(store) {}
  core::result<void> load();
  core::result<void> add(const pg::wal::record& record, const change_target& to, read_mode mode);

  // ingest_recall.cpp
  /// Reads from the disk all that add() needs, so that the rest of it reads nothing: errc::would_block before anything
  /// has changed. Relation sizes are remembered. Databases (copied and dropped through the store) and the timeline's
  /// record are not.
  core::result<void> recall(const pg::wal::record& record, read_mode mode, record_meaning& parsed);
  core::result<void> recall_blocks(const pg::wal::record& record, read_mode mode);
  core::result<void> recall_maps(const pg::redo::visibility_clears_of_record& clears, read_mode mode);
  core::result<void> recall_storage(const pg::records::storage_record& change, read_mode mode);
  core::result<void> recall_dropped(const pg::records::transaction_end& end, read_mode mode);
  [[nodiscard]] bool writes_metadata(const pg::records::xlog_record& change) const;

  // ingest.cpp
  core::result<void> add_meaning(const pg::wal::record& record, const record_meaning& parsed, const change_target& to);
  core::result<void> note_custom_manager(const pg::wal::record& record);
  core::result<void> add_block(const pg::wal::record& record, std::size_t index, const change_target& to);
  void clear_visibility(const pg::redo::visibility_clears_of_record& clears, const change_target& to);
  // ingest_cluster.cpp
  core::result<void> add_xlog(const pg::records::xlog_record& change, const change_target& to);
  core::result<void> change_parameters(const pg::records::parameters_changed& changed, const change_target& to);
  void track_commit_timestamps(const change_target& to);
  core::result<void> add_standby(const pg::wal::record& record);
  core::result<void> add_origin(const pg::wal::record& record, const change_target& to);
  /// Progress never decreases: an older value is ignored.
  void advance_origin(std::uint16_t origin, core::lsn remote, const change_target& to);
  void set_origin(std::uint16_t origin, core::lsn remote, const change_target& to);
  core::result<void> add_clog(const pg::wal::record& record, const change_target& to);
  core::result<void> add_commit_ts(const pg::wal::record& record, const change_target& to);
  core::result<void> add_multixact(const pg::wal::record& record, const change_target& to);
  core::result<void> add_tablespace(const pg::wal::record& record, const change_target& to);
  // ingest_transaction.cpp
  void end_transaction(const pg::wal::record& record, const pg::records::transaction_end& end, const change_target& to);
  core::result<void> prepare_transaction(const pg::wal::record& record, const change_target& to);
  // ingest_storage.cpp
  void add_storage(const pg::records::storage_record& change, const change_target& to);
  void truncate(const pg::records::relation_truncate& cut, const change_target& to);
  void truncate_visibility(pg::relation_fork map, pg::block_number heap_blocks, const change_target& to);
  void truncate_free_space(pg::relation_fork map, pg::block_number heap_blocks, const change_target& to);
  core::result<void> add_relation_map(const pg::wal::record& record, const change_target& to);
  core::result<void> add_database(const pg::wal::record& record, const change_target& to);
  core::result<void> copy_database(const pg::records::database_copy& copy, const change_target& to);
  core::result<void> copy_relation(const pg::relation_fork& from, const pg::relation_fork& into, std::uint32_t blocks,
                                   const change_target& to);

  std::shared_ptr<timeline_store> store;
  pg::major_version major = pg::major_version::v15;
  cluster_counters counters;
  standby_start_tracker standby_starts;
  relation_tracker relations;
  slru_tracker statuses;
  std::unordered_map<std::uint16_t, core::lsn> origins;
  core::bytes control_file;  ///< as it was last changed here
  bool track_commit_timestamp = false;
  std::bitset<256> custom_managers;  ///< seen before, by id: they are in the timeline's record
  core::lsn last_added;              ///< end of the last record added

  // scratch of one call
  std::bitset<pg::wal::block_references_max> existing;  ///< references to blocks that exist
  core::bytes payload;
  std::vector<pg::transaction_id> xids;
};

}  // namespace strata::storage::mapping
