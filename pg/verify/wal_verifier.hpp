#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <utility>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/redo/redo.hpp"
#include "pg/types.hpp"
#include "pg/verify/crash_traces.hpp"
#include "pg/verify/page_pool.hpp"
#include "pg/verify/report.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::verify {

struct verifier_options {
  redo::redo_context context;
  /// Every page that existed before the WAL is added first: then any other page is a new one. Otherwise the content of
  /// a page is unknown until a record has all of it.
  bool has_base = false;
  /// Encodes and decodes every block in Strata's stored form.
  bool through_stored_form = false;
  std::uint64_t pages_max = 262144;  ///< 2 GiB; further pages are not tracked, only counted
};

/// Replays WAL with our redo over pages in memory, and compares each changed block with the image that
/// wal_consistency_checking adds to its record (docs/redo.md). A page that differs is reported once and then
/// replaced by the image. Pure: records in, counts and mismatches into the report.
class wal_verifier {
 public:
  /// `into` outlives this object.
  wal_verifier(const verifier_options& options, report& into);

  /// A page before the WAL. `page` has page_size bytes.
  void add_base_page(const relation_fork& relation, block_number block, core::bytes_view page);
  /// The next record. Records come in the order of their LSNs.
  void add(const wal::record& record);
  /// Compares a page of a file of a server that was stopped cleanly after the last record, LSN included, if its content
  /// is known.
  void compare_with_file(const relation_fork& relation, block_number block, core::bytes_view page);

  [[nodiscard]] const page_pool& pages() const { return pages_; }

  /// Receives every block record before it is applied, and the page that it will change.
  using observer =
      std::function<void(const redo::block_record&, const page_bytes&, core::lsn end, const redo::redo_context&)>;
  void observe(observer before_each) { before_each_ = std::move(before_each); }

 private:
  void note_database(const relation_fork& relation);
  void add_block(const wal::record& record, std::size_t index, record_counts& counts);
  page_bytes* page_for(const wal::block_reference& block, const redo::block_record& cut);
  core::result<void> redo_block(const redo::block_record& cut, core::lsn end, page_bytes& page);
  void compare_with_image(const wal::record& record, const wal::block_reference& block, page_bytes& page,
                          record_counts& counts);
  void learn(const wal::record& record, const wal::block_reference& block, record_counts& counts);
  void clear_visibility(const wal::record& record);
  void follow_files(const wal::record& record);
  void follow_transaction(const wal::record& record);
  void follow_storage(const wal::record& record);
  void follow_database(const wal::record& record);
  [[nodiscard]] bool is_left_behind(const relation_fork& relation, core::lsn page) const;
  [[nodiscard]] bool is_explained(const relation_fork& relation, block_number block, const page_bytes& ours,
                                  const page_bytes& theirs) const;
  void differ(const wal::record& record, const wal::block_reference& block, std::string what);

  verifier_options options_;
  report& report_;
  page_pool pages_;
  observer before_each_;
  core::bytes stored_;
  crash_traces traces_;
  /// Pages of visibility maps whose content CREATE DATABASE did not log.
  std::set<std::pair<relation_fork, block_number>> lost_maps_;
  std::set<std::pair<oid, oid>> databases_;  ///< tablespace and database of all relations in the base and the records
  std::optional<std::pair<oid, oid>> last_database_;
};

}  // namespace strata::pg::verify
