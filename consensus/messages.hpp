#pragma once

#include <cstdint>
#include <variant>

#include "consensus/membership.hpp"
#include "consensus/term.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"

/// The messages between proposers and acceptors, protocol version 3. Their bytes are in protocol/quorum_codec.hpp and
/// docs/formats/wire.md. Positions are ends of whole records unless stated otherwise.
namespace strata::consensus {

/// The Postgres cluster that writes the WAL. 0: unknown.
struct cluster_identity {
  std::uint32_t pg_version = 0;  ///< 150020
  std::uint64_t system_id = 0;
  std::uint32_t wal_segment_size = 0;
  auto operator<=>(const cluster_identity&) const = default;
};

// -- proposer to acceptor ---------------------------------------------------------------------------------------------

struct greeting {
  core::tenant_id tenant;
  core::timeline_id timeline;
  configuration members;
  cluster_identity cluster;
  auto operator<=>(const greeting&) const = default;
};
struct vote_request {
  std::uint32_t generation = 0;
  term in;
  auto operator<=>(const vote_request&) const = default;
};
/// The proposer of `in` has a majority. The acceptor makes its log a prefix of the proposer's, which ends at
/// start_streaming_at, and adopts the history.
struct elected {
  std::uint32_t generation = 0;
  term in;
  core::lsn start_streaming_at;
  term_history history;
  auto operator<=>(const elected&) const = default;
};
/// WAL [begin, end), any bytes; they are sent beside the message. begin == end: a heartbeat.
struct append {
  std::uint32_t generation = 0;
  term in;
  core::lsn begin;
  core::lsn end;
  core::lsn commit_lsn;
  core::lsn truncate_lsn;  ///< every member has the WAL before it
  auto operator<=>(const append&) const = default;
};
using proposer_message = std::variant<greeting, vote_request, elected, append>;

/// Most WAL in one append.
inline constexpr std::uint32_t append_size_max = 128u << 10;

// -- acceptor to proposer ---------------------------------------------------------------------------------------------

struct greeting_reply {
  node_id from;
  configuration members;
  term in;
  auto operator<=>(const greeting_reply&) const = default;
};
struct vote_reply {
  std::uint32_t generation = 0;
  term in;  ///< of the acceptor, after the vote
  bool given = false;
  core::lsn flush_lsn;
  core::lsn truncate_lsn;
  term_history history;
  auto operator<=>(const vote_reply&) const = default;
};
/// in > the append's term: refused, there is a newer proposer. Everything up to flush_lsn is durable.
struct append_reply {
  std::uint32_t generation = 0;
  term in;
  core::lsn flush_lsn;
  core::lsn commit_lsn;
  auto operator<=>(const append_reply&) const = default;
};
using acceptor_message = std::variant<greeting_reply, vote_reply, append_reply>;

}  // namespace strata::consensus
