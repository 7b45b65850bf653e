#include "core/clock.hpp"

namespace strata::core {
namespace {

class machine_clock final : public clock {
 public:
  [[nodiscard]] wall_time now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] monotonic_time monotonic() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const clock& system_clock() {
  static const machine_clock clock;
  return clock;
}

}  // namespace strata::core
