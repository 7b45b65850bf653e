#pragma once

#include <variant>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

/// The messages inside the CopyData of a physical replication stream (Postgres manual, "Streaming Replication
/// Protocol"), from the server's side, and the one that only pageservers send.
namespace strata::pg::wire {

/// 'r': the client's positions.
struct standby_status {
  core::lsn written;
  core::lsn flushed;
  core::lsn applied;
  bool reply_requested = false;
};
/// 'h': the feedback of a hot standby. Accepted and ignored: computes have no standbys here.
struct standby_feedback {};
/// 'z', u64 length: a pageserver's positions (protocol/quorum_codec.hpp, decode_feedback).
struct pageserver_status {
  core::bytes_view feedback;
};
using client_message = std::variant<standby_status, standby_feedback, pageserver_status>;

/// errc::corrupt for anything else.
core::result<client_message> parse_client_message(core::bytes_view payload);

/// A whole CopyData with XLogData, except its WAL, `size` bytes, which the caller appends.
void append_wal_data_header(core::bytes& to, core::lsn start, core::lsn wal_end, timestamp sent, std::size_t size);
inline constexpr std::size_t wal_data_header_size = 5 + 1 + 3 * 8;
/// A whole CopyData.
void append_keepalive(core::bytes& to, core::lsn wal_end, timestamp sent, bool reply_requested);

}  // namespace strata::pg::wire
