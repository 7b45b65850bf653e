#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "pg/types.hpp"
#include "storage/mapping/change_target.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage::mapping {

/// The newest size of every relation fork: read from the store once, by recall(), then updated from WAL; also for forks
/// that do not exist. Sizes that the store shows may be evicted, others must not. Writes the relation and database
/// catalogs.
class relation_tracker {
 public:
  /// A record that would create more zero blocks than this, between ends of relations and its blocks, is refused.
  static constexpr std::uint32_t gap_blocks_max = 4u << 20;
  static constexpr std::size_t remembered_max = 64u << 10;

  explicit relation_tracker(std::shared_ptr<const timeline_store> store) : store_(std::move(store)) {}
  core::result<void> load_databases();

  /// Evicts sizes that the store shows when there are too many. Call it for each record; then recall() for every fork
  /// whose size the functions below use.
  void begin_record() {
    if (known_.size() >= forget_at_) forget_some();
  }
  /// Remembers the size of a fork. memory_only: errc::would_block when the store must read the disk.
  core::result<void> recall(const pg::relation_fork& of, read_mode mode);

  /// Whether the block exists; false also when its fork is not remembered.
  [[nodiscard]] bool known_inside(const pg::relation_fork& of, pg::block_number block) const {
    const auto found = known_.find(of);
    return found != known_.end() && found->second.blocks && *found->second.blocks > block;
  }
  [[nodiscard]] std::optional<std::uint32_t> blocks(const pg::relation_fork& of) const;

  /// Extends the relation to include this block: true if it did not, and then everything before it is zeros.
  core::result<bool> extend_over(const pg::relation_fork& of, pg::block_number block, const change_target& to);
  /// Creates an empty fork, unless it exists.
  void create(const pg::relation_fork& of, const change_target& to);
  /// Cuts a fork that is longer than `blocks`.
  void shrink(const pg::relation_fork& of, std::uint32_t blocks, const change_target& to);
  /// Sets the size whatever it was: the caller writes all pages that become part of the fork.
  void set(const pg::relation_fork& of, std::optional<std::uint32_t> blocks, const change_target& to);
  void drop(const pg::relation_fork& of, const change_target& to);
  void ensure_database(pg::oid tablespace, pg::oid database, const change_target& to);
  /// Drops the relations of a database in one tablespace, its map and its directory. Blocks. Precondition: the store
  /// shows every record added before.
  core::result<void> drop_database(pg::oid tablespace, pg::oid database, const change_target& to);

  /// Writes the sizes that changed since the last call: once per record.
  void write_changes(const change_target& to);

 private:
  struct entry {
    std::optional<std::uint32_t> blocks;
    core::lsn changed;
  };
  void forget_some();

  std::shared_ptr<const timeline_store> store_;
  std::unordered_map<pg::relation_fork, entry> known_;
  std::size_t forget_at_ = remembered_max;
  std::vector<pg::relation_fork> changed_;
  std::uint64_t gap_blocks_ = 0;                     ///< filled since the last write_changes()
  std::set<std::pair<pg::oid, pg::oid>> databases_;  ///< (tablespace, database) of the database catalog
};

}  // namespace strata::storage::mapping
