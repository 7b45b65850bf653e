#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/bytes.hpp"
#include "pg/redo/redo.hpp"
#include "pg/verify/page_masks.hpp"
#include "pg/wal/record.hpp"

namespace strata::tests::fuzz {

/// Seeds of one target by kind, of each kind a random choice of those that were offered.
class seed_set {
 public:
  /// What `make` gives, if it was taken. It may be changed until it is written.
  std::shared_ptr<core::bytes> offer(const std::string& kind, const std::function<core::bytes()>& make);
  /// One of each kind in turn, until there are `count_max` files.
  std::size_t write(const std::filesystem::path& directory, std::size_t count_max) const;

 private:
  static constexpr std::size_t kind_max = 30;
  struct kind_seeds {
    std::size_t offered = 0;
    std::vector<std::shared_ptr<core::bytes>> taken;
  };
  std::map<std::string, kind_seeds> kinds_;
  std::minstd_rand random_{20261125};
};

/// Seeds of all targets, from real WAL.
class seed_collector {
 public:
  /// A block record and the page that it is about to change; records come in their order. The page stays where it is.
  void add_block(const pg::redo::block_record& record, const pg::verify::page_bytes& page,
                 const pg::redo::redo_context& context);
  void add_record(const pg::wal::record& record, core::bytes_view bytes, pg::major_version major);
  /// A segment: where it begins, and where its records begin.
  void add_segment(core::bytes_view segment, core::lsn begin, pg::major_version major,
                   const std::vector<core::lsn>& records);
  /// A folder for each target; prints what is in it.
  void write(const std::filesystem::path& directory, std::size_t count_max) const;

 private:
  struct sequence {
    std::shared_ptr<core::bytes> seed;
    std::size_t records = 0;
  };
  void add_redo(const pg::redo::block_record& record, core::bytes_view stored, const pg::verify::page_bytes& page,
                const pg::redo::redo_context& context);
  void add_step(core::bytes_view bytes, core::lsn start, pg::major_version major);

  std::map<std::string, seed_set> targets_;
  std::unordered_map<const pg::verify::page_bytes*, sequence> open_;  ///< by the page that it began with
  core::bytes steps_;
  std::size_t step_count_ = 0;
};

}  // namespace strata::tests::fuzz
