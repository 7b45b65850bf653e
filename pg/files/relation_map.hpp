#pragma once

#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::pg::files {

/// A relation whose file is named by pg_filenode.map, because pg_class can't name it: pg_class itself is one.
struct relation_mapping {
  oid relation = 0;
  oid file = 0;
};

/// The content of a pg_filenode.map (RelMapFile in Postgres's relmapper.c): magic i32, count i32, places for 62
/// mappings of two OIDs each (64 from 16 on), CRC-32C of all that, and on 14 and 15 four bytes of padding.
/// errc::corrupt for everything else.
core::result<std::vector<relation_mapping>> decode_relation_map_file(core::bytes_view content, major_version major);

}  // namespace strata::pg::files
