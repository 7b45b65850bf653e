#include <cstdio>

#include "bench/compute/workloads.hpp"
#include "bench/stopwatch.hpp"

namespace strata::bench {

followed_database& database_shelf::of_scale(int scale) {
  if (database_ && scale_ == scale) return *database_;
  // First, for there may be no room for both.
  database_.reset();
  const wall_stopwatch clock;
  database_ =
      std::make_unique<followed_database>(followed_options{.scale = scale, .up_arguments = {"--safekeepers", "3"}});
  scale_ = scale;
  std::printf("a database of %.0f MB made and imported in %.0f s\n", database_->megabytes(), clock.seconds());
  std::fflush(stdout);
  return *database_;
}

}  // namespace strata::bench
