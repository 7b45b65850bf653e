#pragma once

#include <cstdint>
#include <functional>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::page_files {

/// Pages of a relation fork that lie one after the other.
struct page_range {
  /// The most pages of one request, 1 MiB.
  static constexpr std::uint32_t count_max = 128;

  pg::relation_fork relation;
  pg::block_number first = 0;  ///< of the fork, not of a segment file
  std::uint32_t count = 0;     ///< 1 to count_max
};

/// Where the pages of a data directory come from, all as of one LSN. Used by one thread.
class page_source {
 public:
  /// The pages in order, valid during the call only; or why they could not be had: errc::timeout when the page service
  /// did not answer in time.
  using receiver = std::function<void(core::result<core::bytes_view> pages)>;

  virtual ~page_source() = default;
  /// `then` is called exactly once, later and never from within fetch(), or not at all when the source is destroyed
  /// before. A receiver may call fetch(). Every page of the range exists at the LSN of the source.
  virtual void fetch(const page_range& range, receiver then) = 0;
};

}  // namespace strata::page_files
