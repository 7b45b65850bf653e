#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"
#include "storage/timeline_store.hpp"

namespace strata::storage::mapping {

/// Puts one relation fork after the other into a tar archive as files of at most blocks_per_relation_segment blocks, a
/// few pages at a time.
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

  /// Starts on the pages of `source` under the name of `as`. The fork before it must be finished.
  void begin(const pg::relation_fork& source, const pg::relation_fork& as, std::uint32_t blocks);
  /// Appends the next part; false when the fork was complete before.
  core::result<bool> write(core::bytes& to);

 private:
  static constexpr std::uint32_t step = 32;

  context context_;
  pg::relation_fork source_;
  pg::relation_fork as_;
  std::uint32_t blocks_ = 0;
  std::uint32_t next_ = 0;
  bool begun_ = false;
  core::bytes content_;
  std::vector<page_read> reads_;
};

}  // namespace strata::storage::mapping
