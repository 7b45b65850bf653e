#pragma once

#include <array>
#include <cstdint>

namespace strata::page_files {

/// Recognises who reads a file from front to back, from the accesses to its pages, and says what to fetch ahead.
/// Follows up to `ways` readers of a file and forgets those that came longest ago: 24 KiB for any number of files.
class access_pattern {
 public:
  /// Advancing accesses after which a reader is sequential. Two are often an index page and its neighbour.
  static constexpr std::uint32_t accesses_min = 3;
  /// Pages that a sequential reader may leave out: pages that are in Postgres's own cache raise no access.
  static constexpr std::uint32_t gap_max = 8;
  static constexpr std::uint32_t window_min = 16;
  static constexpr std::uint32_t window_max = 128;
  /// Pages after which a reader is taken for a scan of the whole file.
  static constexpr std::uint32_t scan_min = 256;

  struct pages {
    std::uint32_t first = 0;
    std::uint32_t count = 0;  ///< 0: nothing
    bool operator==(const pages&) const = default;
  };

  /// Takes an access to pages of a file and returns the pages to fetch ahead, behind them and below `file_pages`: none
  /// for random access, a window that doubles for a sequential one, the rest of the file for a scan. Never the same
  /// page twice for one reader. `count` is at least 1.
  pages observe(std::uint32_t file, std::uint32_t first, std::uint32_t count, std::uint32_t file_pages);

 private:
  static constexpr std::size_t sets = 256;
  static constexpr std::size_t ways = 4;

  struct reader {
    std::uint32_t file = 0;
    std::uint32_t next = 0;      ///< the page after the last one read
    std::uint32_t accesses = 0;  ///< 0: unused
    std::uint32_t run = 0;       ///< pages read, one after the other
    std::uint32_t ahead_end = 0;
    std::uint32_t used_at = 0;
  };
  reader& find(std::uint32_t file, std::uint32_t first, std::uint32_t count);

  std::array<std::array<reader, ways>, sets> readers_{};
  std::uint32_t now_ = 0;
};

}  // namespace strata::page_files
