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

const char* word_for(consensus::proposer::peer::state of) {
  using peer_state = consensus::proposer::peer::state;
  switch (of) {
    case peer_state::away: return "away";
    case peer_state::greeting: return "connecting";
    case peer_state::greeted: return "connected";
    case peer_state::voting: return "voting";
    case peer_state::voted: return "voted";
    case peer_state::streaming: return "streaming";
  }
  return "";
}

}  // namespace strata::actors::compute
