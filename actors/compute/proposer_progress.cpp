#include "actors/compute/proposer_progress.hpp"

#include <algorithm>
#include <utility>

namespace strata::actors::compute {

void proposer_progress::won(consensus::term in) {
  stage_ = std::max(stage_, stage::elected);
  own_terms_.push_back(in);
}

bool proposer_progress::synced() {
  if (stage_ != stage::elected) return false;
  stage_ = stage::synced;
  return true;
}

void proposer_progress::settled(consensus::term in) {
  if (own_terms_.size() > 1) own_terms_ = {in};
}

bool proposer_progress::leave() {
  if (ends()) return false;
  ending_ = ending::leaving;
  return true;
}

bool proposer_progress::supersede() { return std::exchange(ending_, ending::superseded) != ending::superseded; }

}  // namespace strata::actors::compute
