#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/lsn.hpp"
#include "pg/redo/redo.hpp"
#include "pg/types.hpp"
#include "pg/verify/page_masks.hpp"
#include "pg/wal/record.hpp"

namespace strata::tests {

using pg::verify::page_bytes;

/// What redo made of a WAL, and where it differs from Postgres. Differences are texts, at most a few dozen.
struct oracle_report {
  struct counts {
    std::uint64_t applied = 0;   ///< blocks changed by a redo function
    std::uint64_t images = 0;    ///< blocks restored from their image
    std::uint64_t compared = 0;  ///< blocks compared with the image that Postgres made after the change
  };
  std::map<std::string, counts> by_record;
  std::uint64_t records = 0;
  std::uint64_t visibility_pages_compared = 0;
  std::uint64_t difference_count = 0;
  std::vector<std::string> differences;

  void differ(std::string what);
  [[nodiscard]] std::uint64_t compared() const;
  [[nodiscard]] std::string table() const;
};

/// All pages of a cluster, in memory, and the redo of its WAL over them.
class page_store {
 public:
  /// Reads every relation of a data directory whose server is stopped.
  explicit page_store(const std::filesystem::path& data_directory);

  /// Replays WAL from the checkpoint of the data directory at construction time to the end. Every block goes through
  /// its stored form. Blocks whose record has a consistency-check image are compared with it, under the masks of
  /// facts/wal-redo.md §4.2, which are stricter here for heap tuples and the visibility map.
  void replay(const std::filesystem::path& data_directory, oracle_report& report);

  /// Sees every block record in its stored form and the page that it is about to change.
  using observer =
      std::function<void(core::bytes_view stored, const page_bytes&, core::lsn end, const pg::redo::redo_context&)>;
  void observe(observer before_each) { before_each_ = std::move(before_each); }

  /// Compares with the files of a server that was stopped cleanly, page LSNs included (facts/wal-redo.md §4.3).
  /// Returns the number of pages compared.
  std::uint64_t compare_with_files(const std::filesystem::path& data_directory, oracle_report& report) const;

 private:
  void replay_record(const pg::wal::record& record, oracle_report& report);
  void replay_block(const pg::wal::record& record, std::size_t index, oracle_report& report);
  void drop_relations(const pg::wal::record& record);
  void truncate_relation(const pg::wal::record& record);
  page_bytes* find(const pg::relation_fork& relation, pg::block_number block);
  page_bytes& make(const pg::relation_fork& relation, pg::block_number block);

  std::unordered_map<pg::relation_fork, std::map<pg::block_number, std::unique_ptr<page_bytes>>> pages_;
  core::lsn start_;
  pg::redo::redo_context context_;
  observer before_each_;
};

}  // namespace strata::tests
