#include "storage/mapping/cluster_summary.hpp"

#include "storage/key_space.hpp"

namespace strata::storage::mapping {
namespace {

/// Visits each key of a kind with the number that is its value.
template <class Visitor>
core::result<void> scan_counts(const timeline_store& store, key_kind kind, core::lsn at, const Visitor& visitor) {
  std::optional<core::error> failure;
  STRATA_TRY(store.scan(kind_range(kind), at, [&](const core::page_key& key, core::bytes_view value) {
    if (value.size() == sizeof(std::uint32_t))
      visitor(key, core::load_le<std::uint32_t>(value.data()));
    else
      failure = core::error{core::errc::corrupt, "read size under key " + core::to_string(key) + ": it has " +
                                                     std::to_string(value.size()) + " bytes"};
    return !failure;
  }));
  if (failure) return *std::move(failure);
  return {};
}

core::result<std::uint64_t> count_keys(const timeline_store& store, key_kind kind, core::lsn at) {
  std::uint64_t count = 0;
  STRATA_TRY(store.scan(kind_range(kind), at, [&](const core::page_key&, core::bytes_view) {
    ++count;
    return true;
  }));
  return count;
}

}  // namespace

core::result<cluster_summary> summarize(const timeline_store& store, core::lsn at) {
  cluster_summary found;
  STRATA_TRY(scan_counts(store, key_kind::relation_catalog, at, [&](const core::page_key& key, std::uint32_t blocks) {
    const pg::relation_fork of = relation_of(key);
    ++found.relation_forks;
    found.relation_bytes += std::uint64_t{blocks} * pg::page_size;
    if (blocks > 0) found.pages.push_back({relation_page_key(of, 0), relation_page_key(of, blocks)});
  }));
  STRATA_TRY(scan_counts(store, key_kind::slru_catalog, at, [&](const core::page_key& key, std::uint32_t pages) {
    const auto kind = static_cast<pg::slru_kind>(key.tablespace);
    const std::uint32_t first = key.relation * pg::pages_per_slru_segment;
    if (key.tablespace < found.slru_segments.size()) ++found.slru_segments[key.tablespace];
    if (pages > 0) found.pages.push_back({slru_page_key(kind, first), slru_page_key(kind, first + pages)});
  }));
  STRATA_ASSIGN(found.databases, count_keys(store, key_kind::database_catalog, at));
  STRATA_ASSIGN(found.two_phase, count_keys(store, key_kind::two_phase, at));
  return found;
}

std::vector<core::key_range> sparse_ranges() {
  std::vector<core::key_range> ranges;
  for (const key_kind kind :
       {key_kind::two_phase, key_kind::control_file, key_kind::relation_catalog, key_kind::database_catalog,
        key_kind::relation_map, key_kind::slru_catalog, key_kind::tablespace_catalog, key_kind::replication_origin})
    ranges.push_back(kind_range(kind));
  return ranges;
}

}  // namespace strata::storage::mapping
