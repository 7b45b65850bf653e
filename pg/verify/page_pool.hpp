#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "pg/types.hpp"
#include "pg/verify/page_masks.hpp"

namespace strata::pg::verify {

/// Pages of relations in memory, at most a given number. Addresses of pages are stable until they are dropped.
class page_pool {
 public:
  explicit page_pool(std::uint64_t pages_max) : pages_max_(pages_max) {}

  /// nullptr if there is no such page.
  page_bytes* find(const relation_fork& relation, block_number block);
  /// The page, zeros if it is new; nullptr if it is new and there is no room for one more.
  page_bytes* make(const relation_fork& relation, block_number block);
  /// Whether the relation's fork has or had a page.
  [[nodiscard]] bool has(const relation_fork& relation) const { return relations_.contains(relation); }
  void drop(const relation_fork& relation, block_number block);
  /// Drops the blocks from `first` on.
  void truncate(const relation_fork& relation, block_number first);
  void drop_relation(const relation_fork& relation) { truncate(relation, 0); }
  void drop_database(oid tablespace, oid database);
  /// Copies all relations of one database to another. False if not all had room.
  bool copy_database(oid tablespace, oid database, oid to_tablespace, oid to_database);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool full() const { return size_ >= pages_max_; }

 private:
  /// Blocks by number, a thousand at a time, so that a wild block number costs little.
  static constexpr block_number chunk_blocks = 1024;
  using chunk = std::array<std::unique_ptr<page_bytes>, chunk_blocks>;
  struct relation_pages {
    std::map<block_number, std::unique_ptr<chunk>> chunks;
    block_number last_number = invalid_block;  ///< of the chunk used last
    chunk* last = nullptr;
  };

  std::unique_ptr<page_bytes>* slot(const relation_fork& relation, block_number block, bool make);
  relation_pages* pages_of(const relation_fork& relation, bool make);

  std::unordered_map<relation_fork, relation_pages> relations_;
  std::uint64_t size_ = 0;
  std::uint64_t pages_max_;

  /// The relations used last: records of a table and of its indexes alternate.
  struct recent {
    relation_fork relation;
    relation_pages* pages = nullptr;
  };
  std::array<recent, 64> recent_{};
};

}  // namespace strata::pg::verify
