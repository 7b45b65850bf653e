#include "tests/fuzz/block_records.hpp"

#include <string>

#include "tests/fuzz/support.hpp"

namespace strata::tests::fuzz {

namespace {

using pg::redo::block_record;

bool same_place(const block_record::address& a, const block_record::address& b) {
  return a.present == b.present && (!a.present || (a.block == b.block && a.in_fork == b.in_fork));
}

// The block itself is always in its own relation, whatever damaged bytes say.
void demand_same_addresses(const block_record& a, const block_record& b) {
  for (std::size_t id = 0; id < a.addresses.size(); ++id) {
    demand(same_place(a.addresses[id], b.addresses[id]), "addresses", std::to_string(id));
    demand(id == a.block_id || a.addresses[id].same_relation == b.addresses[id].same_relation, "relations",
           std::to_string(id));
  }
  demand(same_place(a.own(), b.own()), "address of the block");
  // Of a reference beyond the seventh only the number is kept; none has the number that means none.
  const bool next_is_distant = a.block_id + std::size_t{1} >= a.addresses.size();
  const bool has_next = a.next().present && !(next_is_distant && a.next().block == pg::invalid_block);
  demand(has_next == b.next().present && (!has_next || a.next().block == b.next().block), "address of the next block");
}

}  // namespace

void demand_round_trip(const block_record& of) {
  exact_copy stored(core::bytes(pg::redo::encoded_size(of), 0xEE));
  pg::redo::encode(of, stored.span().data());
  const auto decoded = pg::redo::decode_block_record(stored.view());
  if (!decoded) demand(false, "what was encoded can be decoded", decoded.error().detail);
  const block_record& back = *decoded;
  demand(back.manager == of.manager && back.info == of.info && back.xid == of.xid, "head");
  demand(back.block_id == of.block_id && back.will_init == of.will_init && back.has_image == of.has_image, "flags");
  demand_same_addresses(of, back);
  if (of.has_image)
    demand(back.image.hole_offset == of.image.hole_offset && back.image.hole_length == of.image.hole_length &&
               back.image.compression == of.image.compression && equal(back.image.stored, of.image.stored),
           "image");
  demand(equal(back.data, of.data), "data");
  demand(equal(back.main_data, of.main_data), "main data");
}

}  // namespace strata::tests::fuzz
