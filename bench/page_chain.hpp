#pragma once

#include <algorithm>
#include <vector>

#include "bench/stopwatch.hpp"
#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "pg/redo/redo.hpp"
#include "pg/verify/page_masks.hpp"

namespace strata::bench {

struct stored_record {
  core::bytes bytes;  ///< as pg::redo::encode() writes them
  core::lsn end;
};

/// A page, and the records that came next.
struct page_chain {
  pg::verify::page_bytes base{};
  std::vector<stored_record> records;

  void add(const pg::redo::block_record& record, core::lsn end);
};

/// Builds the page from its chain, the copy of the base page included.
void rebuild(const page_chain& of, const pg::redo::redo_context& context, pg::verify::page_bytes& into);

/// Microseconds of CPU for one call of `work(number of the call)`: the best of three rounds, each of at least
/// `calls_at_once` calls and a tenth of a second.
template <class Work>
double microseconds(const Work& work, std::size_t calls_at_once = 64) {
  constexpr double enough_seconds = 0.1;
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    const cpu_stopwatch watch;
    std::size_t calls = 0;
    while (watch.seconds() < enough_seconds)
      for (std::size_t i = 0; i < calls_at_once; ++i, ++calls) work(calls);
    best = std::min(best, watch.seconds() * 1e6 / static_cast<double>(calls));
  }
  return best;
}

}  // namespace strata::bench
