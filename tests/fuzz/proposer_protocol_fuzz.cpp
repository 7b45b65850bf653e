// The messages of the proposer protocol: what is taken is a message that encodes to something that is taken as the
// same; what is refused is refused for what it is.

#include "protocol/quorum_codec.hpp"
#include "tests/fuzz/support.hpp"

using namespace strata;
using namespace strata::tests::fuzz;

namespace {

void read_from_proposer(core::bytes_view input) {
  const exact_copy from(input);
  const auto taken = protocol::decode_from_proposer(from.view());
  if (!taken) return demand_refusal(taken.error());
  core::bytes again;
  protocol::encode(taken->message, again);
  core::append(again, taken->wal);
  // Ids are written in lower case, whatever they came in.
  demand(again.size() == input.size(), "a proposer's message is written with its size");
  const auto twice = protocol::decode_from_proposer(again);
  demand(twice && twice->message == taken->message && equal(twice->wal, taken->wal),
         "a proposer's message survives being written again");
}

void read_from_acceptor(core::bytes_view input) {
  const exact_copy from(input);
  const auto taken = protocol::decode_from_acceptor(from.view());
  if (!taken) return demand_refusal(taken.error());
  core::bytes again;
  protocol::encode(taken->message, taken->feedback, again);
  // Feedback of standbys and unknown keys are not kept.
  const auto twice = protocol::decode_from_acceptor(again);
  demand(twice && twice->message == taken->message && twice->feedback == taken->feedback,
         "an acceptor's message survives being written again");
}

}  // namespace

/// The first byte tells who is supposed to have sent the rest.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const core::bytes_view message = core::bytes_view(data, size).subspan(1);
  if (data[0] % 2 == 0)
    read_from_proposer(message);
  else
    read_from_acceptor(message);
  return 0;
}
