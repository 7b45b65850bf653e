#include "actors/pageserver/maintenance/circuit_breaker.hpp"

namespace strata::actors::pageserver {

void circuit_breaker::failed(core::monotonic_time now) {
  ++failures_;
  if (open()) next_try_ = now + pauses_.next();
}

}  // namespace strata::actors::pageserver
