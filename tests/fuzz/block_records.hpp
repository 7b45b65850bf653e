#pragma once

#include "pg/redo/block_record.hpp"

namespace strata::tests::fuzz {

/// Encoded and decoded again it is the same record; its stored form has the size that was promised.
void demand_round_trip(const pg::redo::block_record& of);

}  // namespace strata::tests::fuzz
