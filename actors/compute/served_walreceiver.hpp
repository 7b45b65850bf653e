#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "actors/compute/protocol.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/wire/safekeeper_commands.hpp"

namespace strata::actors::compute {

/// The walreceiver of one incarnation of a standby, as its server sees it: the replication protocol without the socket.
/// A pure machine: commands, messages and WAL in, messages out.
///
///   commands --START_REPLICATION--> streaming --disconnected()--> commands
///
/// It streams the private view of the start, then what put_wal() gets. Holds no WAL.
class served_walreceiver {
 public:
  explicit served_walreceiver(follow_from of) : of_(std::move(of)) {}

  /// As the parameter server_version.
  [[nodiscard]] std::string server_version() const;
  /// Appends the answer to a command; true: the stream begins after it. `head`: end of the branch, as far as known.
  bool answer(std::string_view query, core::lsn head, core::bytes& output);

  /// The position that it gets next, valid while it streams.
  [[nodiscard]] core::lsn next() const { return next_; }
  /// The messages that follow have this position as the end of the branch, and this time.
  struct moment {
    core::lsn head;
    core::wall_time now;
  };
  /// Appends the next WAL of the private view; false: from here on put_wal() continues.
  bool put_own(const moment& at, core::bytes& output);
  /// Appends WAL of the branch, patched, which begins at or before next(), or where the private view ends. Bytes that
  /// were sent are left out; true: there were others.
  bool put_wal(core::lsn begin, core::bytes_view wal, const moment& at, core::bytes& output);
  /// With `reply_requested` the walreceiver answers with its positions.
  void put_keepalive(bool reply_requested, const moment& at, core::bytes& output) const;

  /// The payload of a CopyData message. True: it must be answered with a keepalive. errc::corrupt: it is ignored.
  core::result<bool> take(core::bytes_view payload, core::monotonic_time now);
  void disconnected() { replayed_at_.reset(); }

  [[nodiscard]] core::lsn received() const { return received_; }
  [[nodiscard]] core::lsn replayed() const { return replayed_; }
  /// When it was reported; none: no walreceiver is connected.
  [[nodiscard]] std::optional<core::monotonic_time> replayed_at() const { return replayed_at_; }

 private:
  bool start(const pg::wire::start_wal_stream& of, core::bytes& output);
  void identify(core::lsn head, core::bytes& output) const;
  static void show_history(std::string_view number, core::bytes& output);
  void put(core::bytes_view wal, const moment& at, core::bytes& output);

  follow_from of_;
  core::lsn next_;
  core::lsn received_;
  core::lsn replayed_;
  std::optional<core::monotonic_time> replayed_at_;
};

/// Appends an error as the answer to a command; the connection goes on.
void refuse_command(const core::error& why, core::bytes& output);

}  // namespace strata::actors::compute
