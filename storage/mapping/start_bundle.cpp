#include "storage/mapping/start_bundle.hpp"

#include <algorithm>
#include <array>

namespace strata::storage::mapping {
namespace {

/// Databases and relations below were made by initdb.
constexpr pg::oid first_normal_oid = 16384;

/// Catalogs of a database, by the number that initdb gives them and that they keep until they are rewritten; each with
/// its indexes in the next lines (src/include/catalog in Postgres's sources). pg_proc is missing: a query reads three
/// of its hundred pages.
constexpr std::array<pg::oid, 44> catalogs = [] {
  std::array<pg::oid, 44> of{1247, 2703, 2704,        // pg_type
                             1249, 2658, 2659,        // pg_attribute
                             1259, 2662, 2663,        // pg_class
                             2600, 2650,              // pg_aggregate
                             2601, 2651,              // pg_am
                             2602, 2653, 2654,        // pg_amop
                             2603, 2655,              // pg_amproc
                             2604, 2656,              // pg_attrdef
                             2605, 2661,              // pg_cast
                             2606, 2665, 2666, 2667,  // pg_constraint
                             2610, 2678, 2679,        // pg_index
                             2615, 2684, 2685,        // pg_namespace
                             2616, 2687,              // pg_opclass
                             2617, 2688, 2689,        // pg_operator
                             2619, 2696,              // pg_statistic
                             2690,                    // pg_proc by number
                             3379,                    // pg_statistic_ext by relation
                             6104, 6113, 6239};       // publications, that an UPDATE looks for
  std::ranges::sort(of);
  return of;
}();

}  // namespace

start_bundle::start_bundle(const std::vector<database_entry>& databases) {
  for (const database_entry& each : databases)
    if (each.database < first_normal_oid) templates_.push_back(each.database);
  std::ranges::sort(templates_);
  const auto repeated = std::ranges::unique(templates_);
  templates_.erase(repeated.begin(), repeated.end());
  // initdb makes template1, template0 and postgres, in this order in all majors.
  if (templates_.size() > 2) templates_.resize(2);
}

bool start_bundle::take(const relation_entry& fork) {
  const pg::relation_fork& of = fork.relation;
  if (of.fork != pg::fork::main || fork.blocks == 0 || fork.blocks > std::min(relation_blocks_max, blocks_left_))
    return false;
  const bool shared = of.database == 0;
  if (!shared &&
      (!std::ranges::binary_search(catalogs, of.relation) || std::ranges::binary_search(templates_, of.database)))
    return false;
  blocks_left_ -= fork.blocks;
  return true;
}

}  // namespace strata::storage::mapping
