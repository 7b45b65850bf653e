#include "journal/acceptor_state_codec.hpp"

#include <algorithm>
#include <utility>

namespace strata::journal {
namespace {

using consensus::acceptor_state;
using consensus::configuration;
using consensus::member;
using consensus::node_id;
using consensus::term;
using consensus::term_history;
using consensus::term_start;

constexpr std::uint32_t format_version = 1;
/// Of one member and of one term's start, encoded.
constexpr std::size_t member_size_min = 12;
constexpr std::size_t term_start_size = 16;

core::error corrupt(const std::string& why) { return {core::errc::corrupt, "read the state of an acceptor: " + why}; }

void append_members(core::bytes& to, const std::vector<member>& members) {
  core::append_le(to, static_cast<std::uint32_t>(members.size()));
  for (const auto& each : members) {
    core::append_le(to, each.id.value);
    core::append_le(to, each.port);
    core::append_le(to, static_cast<std::uint16_t>(each.host.size()));
    to.insert(to.end(), each.host.begin(), each.host.end());
  }
}

core::result<std::vector<member>> read_members(core::byte_reader& from) {
  const auto count = from.le<std::uint32_t>();
  if (count > consensus::members_max || count > from.left() / member_size_min)
    return corrupt(std::to_string(count) + " members");
  std::vector<member> members(count);
  for (auto& each : members) {
    each.id = node_id{from.le<std::uint64_t>()};
    each.port = from.le<std::uint16_t>();
    const auto host = from.take(from.le<std::uint16_t>());
    each.host.assign(host.begin(), host.end());
  }
  return members;
}

core::result<configuration> read_configuration(core::byte_reader& from) {
  configuration read;
  read.generation = from.le<std::uint32_t>();
  STRATA_ASSIGN(read.members, read_members(from));
  if (from.le<std::uint8_t>() != 0) {
    STRATA_ASSIGN(read.new_members, read_members(from));
  }
  if (read.generation != 0)
    if (auto sound = consensus::check(read); !sound) return corrupt(sound.error().detail);
  return read;
}

core::result<term_history> read_history(core::byte_reader& from) {
  const auto count = from.le<std::uint32_t>();
  if (count > from.left() / term_start_size) return corrupt(std::to_string(count) + " terms");
  std::vector<term_start> entries(count);
  for (auto& each : entries) {
    each.in = term{from.le<std::uint64_t>()};
    each.at = core::lsn(from.le<std::uint64_t>());
  }
  if (!term_history::well_formed(entries)) return corrupt("a term history that does not ascend");
  return term_history(std::move(entries));
}

/// What the machine takes for granted.
const char* contradiction_in(const acceptor_state& of) {
  if (of.history.last_term() > of.in) return "its history has a term above its own";
  if (!of.history.empty() && of.history.start() != of.timeline_start) return "its history begins elsewhere";
  if (of.local_start.valid() != of.timeline_start.valid() || of.local_start < of.timeline_start)
    return "its WAL begins before the timeline";
  if (of.commit_lsn < of.local_start) return "its commit_lsn is before its WAL";
  return nullptr;
}

}  // namespace

core::bytes encode(const acceptor_state& of) {
  core::bytes to;
  core::append_le(to, format_version);
  core::append(to, of.tenant.value);
  core::append(to, of.timeline.value);
  core::append_le(to, of.cluster.pg_version);
  core::append_le(to, of.cluster.system_id);
  core::append_le(to, of.cluster.wal_segment_size);
  core::append_le(to, of.members.generation);
  append_members(to, of.members.members);
  to.push_back(of.members.changing() ? 1 : 0);
  if (of.members.changing()) append_members(to, *of.members.new_members);
  core::append_le(to, of.in.value);
  core::append_le(to, static_cast<std::uint32_t>(of.history.entries().size()));
  for (const auto& each : of.history.entries()) {
    core::append_le(to, each.in.value);
    core::append_le(to, each.at.value);
  }
  for (const auto position :
       {of.timeline_start, of.local_start, of.commit_lsn, of.backup_lsn, of.peer_horizon, of.remote_consistent})
    core::append_le(to, position.value);
  return to;
}

core::result<acceptor_state> decode_acceptor_state(core::bytes_view from) {
  core::byte_reader reader(from);
  if (const auto version = reader.le<std::uint32_t>(); version != format_version)
    return core::error{core::errc::unsupported, "read the state of an acceptor: its format is " +
                                                    std::to_string(version) + ", known is " +
                                                    std::to_string(format_version)};
  acceptor_state read;
  std::ranges::copy(reader.take(read.tenant.value.size()), read.tenant.value.begin());
  std::ranges::copy(reader.take(read.timeline.value.size()), read.timeline.value.begin());
  read.cluster.pg_version = reader.le<std::uint32_t>();
  read.cluster.system_id = reader.le<std::uint64_t>();
  read.cluster.wal_segment_size = reader.le<std::uint32_t>();
  STRATA_ASSIGN(read.members, read_configuration(reader));
  read.in = term{reader.le<std::uint64_t>()};
  STRATA_ASSIGN(read.history, read_history(reader));
  for (auto* position : {&read.timeline_start, &read.local_start, &read.commit_lsn, &read.backup_lsn,
                         &read.peer_horizon, &read.remote_consistent})
    *position = core::lsn(reader.le<std::uint64_t>());
  if (!reader.finished()) return corrupt("its length does not match its parts");
  if (const auto* why = contradiction_in(read)) return corrupt(why);
  return read;
}

}  // namespace strata::journal
