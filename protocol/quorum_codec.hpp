#pragma once

#include <cstdint>
#include <optional>

#include "consensus/messages.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"

/// The bytes of consensus/messages.hpp in the proposer protocol, version 3 (docs/formats/wire.md): big-endian,
/// one message per CopyData, the first byte is its tag.
namespace strata::protocol {

/// The longest accepted message; a longer one is refused before it is buffered.
inline constexpr std::size_t message_size_max = consensus::append_size_max + (64u << 10);

/// For an append: everything except the WAL bytes, which follow.
void encode(const consensus::proposer_message& message, core::bytes& to);

/// errc::corrupt if the bytes are not a message of this protocol: unknown tag, truncated, trailing bytes, unbounded
/// counts or strings, malformed histories, an append whose length differs from its bytes.
struct received_message {
  consensus::proposer_message message;
  core::bytes_view wal;  ///< payload of an append; a slice of `from`
};
core::result<received_message> decode_from_proposer(core::bytes_view from);

/// The progress of a timeline's pageservers, sent with an append reply.
struct pageserver_feedback {
  core::lsn last_received;
  core::lsn disk_consistent;
  core::lsn remote_consistent;
  std::int64_t replied_at = 0;  ///< Postgres time
  std::uint64_t timeline_size = 0;
  auto operator<=>(const pageserver_feedback&) const = default;
};
/// Without the length that precedes it in a replication client's message 'z'.
void encode(const pageserver_feedback& feedback, core::bytes& to);
core::result<pageserver_feedback> decode_feedback(core::bytes_view from);

void encode(const consensus::acceptor_message& message, const std::optional<pageserver_feedback>& feedback,
            core::bytes& to);
struct received_reply {
  consensus::acceptor_message message;
  std::optional<pageserver_feedback> feedback;
};
core::result<received_reply> decode_from_acceptor(core::bytes_view from);

}  // namespace strata::protocol
