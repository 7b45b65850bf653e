#include "actors/pageserver/quorum/safekeeper_assignment.hpp"

#include <algorithm>

namespace strata::actors::pageserver {
namespace {

core::result<void> require_no_source(const storage::timeline_record& of) {
  if (!follows_source(of)) return {};
  return core::error{
      core::errc::conflict,
      "timeline " + of.name + " follows a source and is read-only: create a branch of it, and write to the branch"};
}

}  // namespace

core::result<consensus::configuration> first_safekeepers(const storage::timeline_record& of,
                                                         std::vector<consensus::member> available) {
  STRATA_TRY(require_no_source(of));
  if (available.empty())
    return core::error{core::errc::unavailable, "this server has no safekeepers: strata up --safekeepers 3"};
  std::sort(available.begin(), available.end());
  const auto first = static_cast<std::ptrdiff_t>(of.id.value.front() % available.size());
  std::rotate(available.begin(), available.begin() + first, available.end());
  available.resize(std::min(available.size(), safekeepers_wanted));
  std::sort(available.begin(), available.end());
  consensus::configuration made{.generation = 1, .members = std::move(available)};
  STRATA_TRY(consensus::check(made));
  return made;
}

core::result<consensus::configuration> next_safekeepers(const storage::timeline_record& of,
                                                        const consensus::configuration& to) {
  STRATA_TRY(require_no_source(of));
  if (of.safekeepers == to) return to;
  STRATA_TRY(consensus::check(to));
  for (const consensus::member& each : to.all())
    if (each.host.empty() || each.port == 0)
      return core::error{core::errc::invalid_argument,
                         "safekeeper " + std::to_string(each.id.value) + " has no host or no port"};
  const std::uint32_t now = of.safekeepers ? of.safekeepers->generation : 0;
  if (to.generation == now + 1) return to;
  return core::error{core::errc::conflict, "the safekeepers of " + of.name + " are of generation " +
                                               std::to_string(now) + ", and " + std::to_string(to.generation) +
                                               " is not the next"};
}

core::result<messages::timeline_safekeepers> safekeepers_of(const storage::timeline_record& of) {
  if (!of.safekeepers) return core::error{core::errc::not_found, "no safekeepers keep the WAL of timeline " + of.name};
  std::vector<consensus::node_id> former;
  for (const storage::wal_keeper& each : of.wal_keepers)
    if (!of.safekeepers->contains(each.id)) former.push_back(each.id);
  return messages::timeline_safekeepers{.tenant = of.tenant,
                                        .timeline = of.id,
                                        .members = *of.safekeepers,
                                        .start_lsn = own_wal_begin(of),
                                        .cluster = {.pg_version = static_cast<std::uint32_t>(of.major) * 10000,
                                                    .system_id = of.system_id,
                                                    .wal_segment_size = of.wal_segment_size},
                                        .former = std::move(former)};
}

}  // namespace strata::actors::pageserver
