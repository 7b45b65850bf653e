#include "storage/mapping/relation_tracker.hpp"

#include <algorithm>
#include <limits>

#include "core/check.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/directory.hpp"

namespace strata::storage::mapping {

core::result<void> relation_tracker::load_databases() {
  STRATA_ASSIGN(const auto found, databases(*store_, store_->last_record_lsn()));
  for (const database_entry& each : found) databases_.emplace(each.tablespace, each.database);
  return {};
}

core::result<void> relation_tracker::recall(const pg::relation_fork& of, read_mode mode) {
  if (known_.contains(of)) return {};
  // A size that is not remembered was not changed by a batch on its way: the store shows the newest one.
  const core::lsn at = store_->last_record_lsn();
  STRATA_ASSIGN(const std::optional<std::uint32_t> size, relation_size(*store_, of, at, mode));
  known_.emplace(of, entry{size, at});
  return {};
}

std::optional<std::uint32_t> relation_tracker::blocks(const pg::relation_fork& of) const {
  const auto found = known_.find(of);
  core::check(found != known_.end(), "the sizes that a record needs were recalled");
  return found->second.blocks;
}

void relation_tracker::forget_some() {
  const core::lsn visible = store_->last_record_lsn();
  std::erase_if(known_, [&](const auto& each) { return each.second.changed <= visible; });
  forget_at_ = std::max(remembered_max, known_.size() * 2);
}

void relation_tracker::set(const pg::relation_fork& of, std::optional<std::uint32_t> blocks, const change_target& to) {
  known_.insert_or_assign(of, entry{blocks, to.at});
  if (changed_.empty() || changed_.back() != of) changed_.push_back(of);
}

core::result<bool> relation_tracker::extend_over(const pg::relation_fork& of, pg::block_number block,
                                                 const change_target& to) {
  if (block == std::numeric_limits<pg::block_number>::max())
    return core::error{core::errc::corrupt, "extend " + pg::to_string(of) + ": no such block"};
  const std::optional<std::uint32_t> size = blocks(of);
  const std::uint32_t old_blocks = size.value_or(0);
  if (size && block < old_blocks) return false;
  gap_blocks_ += block - old_blocks;
  if (gap_blocks_ > gap_blocks_max)
    return core::error{core::errc::corrupt, "extend " + pg::to_string(of) + ": block " + std::to_string(block) +
                                                " is far beyond its " + std::to_string(old_blocks) + " blocks"};
  if (!size) ensure_database(of.tablespace, of.database, to);
  for (pg::block_number gap = old_blocks; gap < block; ++gap) to.put_zero_page(relation_page_key(of, gap));
  set(of, block + 1, to);
  return true;
}

void relation_tracker::create(const pg::relation_fork& of, const change_target& to) {
  if (blocks(of)) return;
  ensure_database(of.tablespace, of.database, to);
  set(of, 0, to);
}

void relation_tracker::shrink(const pg::relation_fork& of, std::uint32_t new_blocks, const change_target& to) {
  if (blocks(of).value_or(0) > new_blocks) set(of, new_blocks, to);
}

void relation_tracker::drop(const pg::relation_fork& of, const change_target& to) {
  if (blocks(of)) set(of, std::nullopt, to);
}

void relation_tracker::ensure_database(pg::oid tablespace, pg::oid database, const change_target& to) {
  if (tablespace == pg::global_tablespace || !databases_.emplace(tablespace, database).second) return;
  to.put_number(database_catalog_key(tablespace, database), std::uint8_t{1});
}

core::result<void> relation_tracker::drop_database(pg::oid tablespace, pg::oid database, const change_target& to) {
  STRATA_ASSIGN(const auto dropped, relations(*store_, tablespace, database, store_->last_record_lsn()));
  for (const relation_entry& each : dropped) set(each.relation, std::nullopt, to);
  for (auto& [of, remembered] : known_)
    if (of.tablespace == tablespace && of.database == database) remembered = {std::nullopt, to.at};
  to.put_tombstone(relation_map_key(tablespace, database));
  if (databases_.erase({tablespace, database}) > 0) to.put_tombstone(database_catalog_key(tablespace, database));
  return {};
}

void relation_tracker::write_changes(const change_target& to) {
  for (const pg::relation_fork& of : changed_) {
    const std::optional<std::uint32_t> blocks = known_.at(of).blocks;
    if (blocks)
      to.put_number(relation_catalog_key(of), *blocks);
    else
      to.put_tombstone(relation_catalog_key(of));
  }
  changed_.clear();
  gap_blocks_ = 0;
}

}  // namespace strata::storage::mapping
