// The stored form of a block record: what was decoded is encoded again, and is the same when decoded.

#include "tests/fuzz/block_records.hpp"
#include "tests/fuzz/support.hpp"

using namespace strata;
using namespace strata::tests::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const exact_copy stored({data, size});
  const auto decoded = pg::redo::decode_block_record(stored.view());
  if (decoded)
    demand_round_trip(*decoded);
  else
    demand_refusal(decoded.error());
  return 0;
}
