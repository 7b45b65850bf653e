#pragma once

#include <optional>
#include <string>
#include <utility>

#include "actors/net/replication_link.hpp"
#include "wal/window.hpp"

namespace strata::actors::compute {

/// The replication connection to the local Postgres: creates its slot, streams from the window's end, appends to the
/// window, reports the flushed positions. Belongs to one actor, which gets the socket_ready messages.
class postgres_stream {
 public:
  postgres_stream(runtime::socket_watcher& sockets, wal::window& into) : link_(sockets), into_(into) {}

  /// Sets the address of Postgres.
  void follow(std::string conninfo) { conninfo_ = std::move(conninfo); }
  [[nodiscard]] bool is_known() const { return !conninfo_.empty(); }
  [[nodiscard]] const std::string& conninfo() const { return conninfo_; }

  /// A connection is being opened, until adopt() or connect_failed().
  void connect() { connecting_ = true; }
  void connect_failed() { connecting_ = false; }
  [[nodiscard]] bool is_connecting() const { return connecting_; }
  /// Streams over this connection, opened as standby_name, instead of the previous one.
  void adopt(pg::client::replication_connection connection);
  void close() { link_.close(); }
  [[nodiscard]] bool is_open() const { return link_.open(); }
  [[nodiscard]] bool streaming() { return link_.open() && link_.connection().streaming(); }
  [[nodiscard]] bool is_current(runtime::watch_token token) const { return link_.is_current(token); }

  /// Why take_in() stopped.
  enum class stop : std::uint8_t {
    used_up,      ///< armed: socket_ready follows
    turn_over,    ///< there may be more, but other actors need the thread
    window_full,  ///< not armed: Postgres waits until there is room
  };
  core::result<stop> take_in(const runtime::socket_owner& owner);
  /// Whether the last take_in() stopped at window_full.
  [[nodiscard]] bool waits_for_room() const { return waits_for_room_ && is_open(); }
  /// take_in() follows.
  void room_is_made() { waits_for_room_ = false; }

  /// Reports positions to Postgres; written is the window's end. Kept for the next take_in() if the socket is full.
  core::result<void> report(core::lsn flushed, core::lsn applied);

  /// The standby in synchronous_standby_names, and the slot that keeps WAL until it is reported as flushed.
  static constexpr const char* standby_name = "strata";

 private:
  core::result<stop> take_events(const runtime::socket_owner& owner);
  core::result<void> on(const pg::client::replication_event& event);

  std::string conninfo_;
  net::replication_link link_;
  wal::window& into_;
  core::lsn flushed_;
  core::lsn applied_;
  bool connecting_ = false;
  bool report_due_ = false;
  bool waits_for_room_ = false;
  bool undrained_ = false;  ///< the last take_in() left events
};

}  // namespace strata::actors::compute
