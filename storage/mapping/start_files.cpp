#include "storage/mapping/start_files.hpp"

#include <algorithm>
#include <utility>

#include "core/check.hpp"
#include "pg/files/slru.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "pg/wal/version.hpp"

namespace strata::storage::mapping {

using namespace pg::files;

namespace {

constexpr std::uint16_t continues_record = 1;
constexpr std::uint16_t has_long_header = 2;
constexpr std::uint32_t short_header_size = 24;
constexpr std::uint32_t long_header_size = 40;

core::bytes wal_page_header(const start_state& from, core::lsn page, bool is_long, std::uint32_t continued) {
  core::bytes to;
  core::append_le(to, pg::wal::page_magic(from.control.major));
  core::append_le(
      to, static_cast<std::uint16_t>((continued != 0 ? continues_record : 0) | (is_long ? has_long_header : 0)));
  core::append_le(to, from.counters.timeline);
  core::append_le(to, page.value);
  core::append_le(to, continued);
  core::append_le(to, std::uint32_t{0});
  if (is_long) {
    core::append_le(to, from.control.system_id);
    core::append_le(to, from.control.wal_segment_size);
    core::append_le(to, static_cast<std::uint32_t>(pg::wal_page_size));
  }
  return to;
}

constexpr pg::transaction_id first_normal_xid = 3;
/// With so many a compute that writes a branch is started, whatever the source had (host/quorum_settings.cpp).
constexpr std::int32_t writer_wal_senders = 10;
constexpr std::uint32_t xids_per_commit_ts_segment = commit_timestamps_per_page * pg::pages_per_slru_segment;
constexpr std::uint32_t commit_ts_segment_last = ~0u / xids_per_commit_ts_segment;

start_point start_point_of(const start_state& from) {
  start_point at;
  at.position = from.position;
  at.counters = from.counters;
  at.system_id = from.control.system_id;
  at.segment_size = from.control.wal_segment_size;
  at.major = from.control.major;
  return at;
}

/// `wal`: start_wal, or standby_wal.
template <class Wal>
core::result<start_files> files_from(const start_state& from, core::result<Wal> wal) {
  if (!wal) return wal.error();
  start_files made;
  made.segments = std::move(wal->segments);
  STRATA_ASSIGN(made.control_file, shut_down_control_file(from.control_bytes, wal->copy));
  return made;
}

}  // namespace

checkpoint with_commit_timestamps(checkpoint counters, const std::vector<slru_segment_entry>& segments) {
  const auto segment_of = [](pg::transaction_id xid) { return xid / xids_per_commit_ts_segment; };
  const auto before = [](std::uint32_t segment) { return segment == 0 ? commit_ts_segment_last : segment - 1; };
  const auto there = [&](std::uint32_t segment) {
    return std::ranges::binary_search(segments, segment, {}, &slru_segment_entry::segment);
  };
  pg::transaction_id oldest = std::exchange(counters.oldest_commit_timestamp_xid, 0);
  counters.newest_commit_timestamp_xid = 0;
  auto newest = static_cast<pg::transaction_id>(counters.next_xid) - 1;
  if (newest < first_normal_xid) newest = ~pg::transaction_id{0};  // a round begins
  std::uint32_t first = segment_of(newest);
  if (!there(first)) {
    newest = first * xids_per_commit_ts_segment - 1;
    first = before(first);
  }
  if (oldest == 0 || precedes(newest, oldest) || !there(first)) return counters;
  while (first != segment_of(oldest) && there(before(first))) first = before(first);
  if (first != segment_of(oldest)) oldest = std::max(first * xids_per_commit_ts_segment, first_normal_xid);
  counters.oldest_commit_timestamp_xid = oldest;
  counters.newest_commit_timestamp_xid = newest;
  return counters;
}

std::optional<std::uint32_t> status_page_at_start(pg::slru_kind kind, const checkpoint& counters) {
  const auto page_of = [](std::uint32_t next, std::uint32_t numbers_per_page) {
    return next % numbers_per_page == 0 ? std::nullopt : std::optional(next / numbers_per_page);
  };
  switch (kind) {
    case pg::slru_kind::clog: return page_of(static_cast<pg::transaction_id>(counters.next_xid), clog_xids_per_page);
    case pg::slru_kind::multixact_offsets: return page_of(counters.next_multixact, multixact_offsets_per_page);
    case pg::slru_kind::multixact_members: return page_of(counters.next_multixact_offset, multixact_members_per_page);
    case pg::slru_kind::commit_ts: return std::nullopt;  // the server creates it
  }
  return std::nullopt;
}

core::result<start_files> stock_start_files(const start_state& from) {
  start_point at = start_point_of(from);
  at.previous = from.previous;
  return files_from(from, start_segments(at));
}

core::result<start_files> standby_start_files(const start_state& from) {
  core::check(from.standby.has_value(), "a standby begins where it can follow");
  start_point at = start_point_of(from);
  at.counters.next_xid = from.standby->next_xid;
  at.counters.oldest_active_xid = from.standby->oldest_active;
  return files_from(from, standby_segments(at));
}

control_file with_larger_settings(control_file of, const control_file& later) {
  of.max_connections = std::max(of.max_connections, later.max_connections);
  of.max_worker_processes = std::max(of.max_worker_processes, later.max_worker_processes);
  of.max_wal_senders = std::max({of.max_wal_senders, later.max_wal_senders, writer_wal_senders});
  of.max_prepared_transactions = std::max(of.max_prepared_transactions, later.max_prepared_transactions);
  of.max_locks_per_transaction = std::max(of.max_locks_per_transaction, later.max_locks_per_transaction);
  return of;
}

core::result<start_files> signal_start_files(const start_state& from) {
  const std::uint32_t segment_size = from.control.wal_segment_size;
  control_file control = from.control;
  control.state = database_state::shut_down;
  control.checkpoint_location = {};
  control.checkpoint_copy = from.counters;
  control.checkpoint_copy.redo = pg::wal::after_header(from.position, segment_size);
  start_files made;
  STRATA_ASSIGN(made.control_file, encode_control_file(control, from.control_bytes));

  // The position is marked as the end of a continued record on its page: a reader of WAL begins there.
  const std::uint64_t offset = from.position.value % segment_size;
  const core::lsn begin = from.position - offset;
  const std::uint64_t page_offset = offset / pg::wal_page_size * pg::wal_page_size;
  const auto in_page = static_cast<std::uint32_t>(offset - page_offset);
  const bool first_page = page_offset == 0;
  sparse_file segment{wal_segment_name(from.counters.timeline, from.position, segment_size), segment_size, {}};
  segment.pieces.push_back(
      {0,
       wal_page_header(from, begin, true, first_page && in_page > long_header_size ? in_page - long_header_size : 0)});
  if (!first_page && in_page > short_header_size)
    segment.pieces.push_back(
        {page_offset, wal_page_header(from, begin + page_offset, false, in_page - short_header_size)});
  made.segments.push_back(std::move(segment));
  return made;
}

std::string signal_text(const start_state& from) {
  if (from.previous.valid()) return "PREV LSN: " + core::to_string(from.previous);
  return from.branch_point ? "PREV LSN: none" : "PREV LSN: invalid";
}

std::string minimal_configuration(const start_state& from) {
  const control_file& control = from.control;
  const auto line = [](const std::string& name, const std::string& value) { return name + " = " + value + "\n"; };
  const auto megabytes = [&](std::uint32_t segments) {
    return std::to_string(std::uint64_t{segments} * control.wal_segment_size >> 20) + "MB";
  };
  std::string text = "# Written by Strata for a copy of a timeline.\n";
  text += line("listen_addresses", "'localhost'");
  text += line("unix_socket_directories", "'/tmp'");
  text += line("unix_socket_permissions", "0700");
  text += line("max_connections", std::to_string(control.max_connections));
  text += line("max_worker_processes", std::to_string(control.max_worker_processes));
  text += line("max_wal_senders", std::to_string(control.max_wal_senders));
  text += line("max_prepared_transactions", std::to_string(control.max_prepared_transactions));
  text += line("max_locks_per_transaction", std::to_string(control.max_locks_per_transaction));
  text += line("wal_level", control.wal_level == wal_level::logical ? "logical" : "replica");
  text += line("wal_log_hints", control.wal_log_hints ? "on" : "off");
  text += line("track_commit_timestamp", control.track_commit_timestamp ? "on" : "off");
  text += line("min_wal_size", megabytes(5));
  text += line("max_wal_size", megabytes(64));
  text +=
      "# Workers of its subscriptions would receive changes meant for the source. Remove this line when this server\n"
      "# replaces the source.\n";
  text += line("max_logical_replication_workers", "0");
  return text;
}

std::string minimal_host_rules() {
  return "# Written by Strata. The socket is the owner's alone (unix_socket_permissions).\n"
         "local all all trust\n"
         "local replication all trust\n"
         "host all all 127.0.0.1/32 md5\n"
         "host all all ::1/128 md5\n";
}

std::string compute_host_rules() { return "local all all trust\n"; }

}  // namespace strata::storage::mapping
