#include "journal/maintenance.hpp"

#include <algorithm>
#include <vector>

#include "journal/wal_archive.hpp"

namespace strata::journal {
namespace {

/// A safekeeper that lags further does not put segments into object storage.
constexpr std::uint64_t offloader_lag_max = 128u << 20;

bool alive(const peer_report& peer, core::monotonic_time now) { return now - peer.at <= peer_lifetime; }

bool backup_is_due(const timeline_situation& of) {
  return of.has_backup && of.segment_size > 0 && of.position.timeline_start.valid() &&
         segment_begin(of.position.commit_lsn, of.segment_size) > of.position.backup_lsn;
}

}  // namespace

bool is_active(const timeline_situation& of) {
  return of.proposer_here || of.position.remote_consistent < of.position.commit_lsn || backup_is_due(of);
}

core::lsn removal_horizon(const acceptor_position& of, bool has_backup) {
  return std::min({of.remote_consistent, has_backup ? of.backup_lsn : of.peer_horizon, of.commit_lsn, of.flush_lsn});
}

core::lsn backup_removal_horizon(const acceptor_position& of) {
  return std::min({of.remote_consistent, of.peer_horizon, of.backup_lsn, of.commit_lsn});
}

std::optional<core::lsn> segment_to_offload(const timeline_situation& of) {
  if (!backup_is_due(of)) return std::nullopt;
  const core::lsn begin = segment_begin(of.position.backup_lsn, of.segment_size);
  struct candidate {
    std::uint64_t id;
    core::lsn local_start;
    core::lsn commit_lsn;
  };
  std::vector<candidate> known{{of.self.value, of.position.local_start, of.position.commit_lsn}};
  for (const peer_report& peer : of.peers)
    if (alive(peer, of.now)) known.push_back({peer.info.safekeeper, peer.info.local_start_lsn, peer.info.commit_lsn});
  core::lsn furthest;
  for (const candidate& each : known) furthest = std::max(furthest, each.commit_lsn);
  std::vector<std::uint64_t> able;
  for (const candidate& each : known)
    if (each.local_start <= of.position.backup_lsn && furthest - each.commit_lsn <= offloader_lag_max)
      able.push_back(each.id);
  if (able.empty()) return std::nullopt;
  std::sort(able.begin(), able.end());
  const std::size_t chosen = std::hash<core::timeline_id>{}(of.timeline) % able.size();
  if (able[chosen] != of.self.value) return std::nullopt;
  return begin;
}

const protocol::safekeeper_timeline_info* peer_to_recover_from(const timeline_situation& of) {
  if (of.proposer_here) return nullptr;
  const protocol::safekeeper_timeline_info* best = nullptr;
  const auto reached = [](const protocol::safekeeper_timeline_info& info) {
    return std::pair(info.last_log_term, info.flush_lsn);
  };
  for (const peer_report& peer : of.peers) {
    const auto& info = peer.info;
    const bool was_elected = info.term == info.last_log_term;
    if (!alive(peer, of.now) || !was_elected || info.term < of.position.in.value ||
        info.generation != of.position.generation || info.wal_address.empty())
      continue;
    if (reached(info) <= std::pair(of.position.last_log_term.value, of.position.flush_lsn)) continue;
    if (best == nullptr || reached(*best) < reached(info)) best = &info;
  }
  return best;
}

}  // namespace strata::journal
