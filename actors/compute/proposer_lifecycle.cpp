#include "actors/compute/proposer_lifecycle.hpp"

#include <algorithm>
#include <utility>

namespace strata::actors::compute {

void proposer_lifecycle::won(consensus::term in) {
  stage_ = std::max(stage_, stage::elected);
  own_terms_.push_back(in);
}

bool proposer_lifecycle::synced() {
  if (stage_ != stage::elected) return false;
  stage_ = stage::synced;
  return true;
}

void proposer_lifecycle::settled(consensus::term in) {
  if (own_terms_.size() > 1) own_terms_ = {in};
}

bool proposer_lifecycle::leave() {
  if (ends()) return false;
  ending_ = ending::leaving;
  return true;
}

bool proposer_lifecycle::supersede() { return std::exchange(ending_, ending::superseded) != ending::superseded; }

}  // namespace strata::actors::compute
