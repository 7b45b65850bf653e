#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/free_space_map.hpp"
#include "pg/types.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage::mapping {

/// Writes relation forks to a tar archive as files of at most blocks_per_relation_segment blocks, a few pages at a
/// time. From the pages of a main fork it collects their free space, one byte a block.
class relation_archiver {
 public:
  struct context {
    const timeline_store* store = nullptr;
    core::lsn at;
    pg::major_version major = pg::major_version::v15;
    bool checksums = false;
    std::int64_t modified = 0;
  };
  explicit relation_archiver(const context& with) : context_(with), content_(std::size_t{step} * pg::page_size) {}

  /// Begins the pages of `source` under the name of `as`. The previous fork must be finished.
  void begin(const pg::relation_fork& source, const pg::relation_fork& as, std::uint32_t blocks);
  /// Begins the free space map of the relation whose main fork was archived last. That of a table is created from its
  /// pages, whatever is stored, and left out when there is no free space. That of other relations is the stored one.
  void begin_free_space_map(const pg::relation_fork& map, std::optional<std::uint32_t> stored_blocks);
  /// Appends the next part; false when the fork is complete already.
  core::result<bool> write(core::bytes& to);

 private:
  static constexpr std::uint32_t step = 32;

  void begin_file(core::bytes& to) const;
  /// Fills content_ with the next pages.
  core::result<void> read_pages(std::uint32_t count);
  core::result<void> read_stored_pages(std::uint32_t count);

  context context_;
  pg::relation_fork source_;
  pg::relation_fork as_;
  std::uint32_t blocks_ = 0;
  std::uint32_t next_ = 0;
  bool begun_ = false;
  std::optional<pg::files::free_space_survey> survey_;  ///< of the main fork
  std::optional<pg::files::free_space_map> made_map_;   ///< the pages come from here instead of the store
  core::bytes content_;
  std::vector<page_read> reads_;
};

}  // namespace strata::storage::mapping
