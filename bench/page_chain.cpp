#include "bench/page_chain.hpp"

#include <cstring>

#include "bench/demand.hpp"

namespace strata::bench {

void page_chain::add(const pg::redo::block_record& record, core::lsn end) {
  stored_record stored{core::bytes(pg::redo::encoded_size(record)), end};
  pg::redo::encode(record, stored.bytes.data());
  records.push_back(std::move(stored));
}

void rebuild(const page_chain& of, const pg::redo::redo_context& context, pg::verify::page_bytes& into) {
  std::memcpy(into.data(), of.base.data(), of.base.size());
  for (const stored_record& each : of.records)
    demand(pg::redo::apply(demand(pg::redo::decode_block_record(each.bytes)), each.end, context, into));
}

}  // namespace strata::bench
