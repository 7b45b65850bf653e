#pragma once

#include <cstdint>
#include <string>

#include "tests/model_check/cluster.hpp"

namespace strata::tests::model_check {

struct search_options {
  std::uint64_t states_max = 400'000'000;  ///< what is seen takes about 40 bytes of memory a state
  double seconds_max = 1e9;
  bool progress = true;
};

struct search_result {
  std::uint64_t states = 0;  ///< different ones
  std::uint64_t steps = 0;   ///< looked at
  unsigned depth = 0;        ///< of the longest shortest way to a state
  double seconds = 0;
  bool complete = false;
  std::string broken;  ///< what was broken, empty: nothing
  std::string trace;   ///< the shortest way there
};

/// Breadth first, so that the first way found to a broken promise is a shortest one.
search_result search(cluster& in, const search_options& options);

/// Random ways of `length` steps until the time is up: deeper than a search of everything comes, and no proof. The same
/// seed takes the same ways.
search_result walk(cluster& in, std::uint64_t seed, unsigned length, const search_options& options);

}  // namespace strata::tests::model_check
