#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "actors/pageserver/ingest/source_session.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "messages/broker.hpp"
#include "messages/timeline.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::actors::pageserver {

/// The origin of a timeline's WAL: which server a receiver connects to, and when it leaves that server. Without actors
/// and sockets; time is passed in. One connection at a time: next(), then heard() and reason_to_leave() until lost() or
/// caught_up().
class wal_origin {
 public:
  using time = core::monotonic_time;
  virtual ~wal_origin() = default;

  /// The connection string of the next attempt; nullopt: none now, call it again after pause().
  virtual std::optional<std::string> next(time now, core::lsn last_record) = 0;
  [[nodiscard]] virtual session_goal goal(const storage::timeline_record& of, core::lsn last_record) const = 0;
  /// The server of the last next(), for messages; without secrets.
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual const std::string& slot() const = 0;

  /// The server sent WAL up to `position`, or only the end of its WAL, `head` (0: not even that).
  virtual void heard(time now, core::lsn head, std::optional<core::lsn> position) = 0;
  /// We do not read its input: silence has no meaning.
  virtual void not_listening(time now) = 0;
  /// The timeline ingested WAL of it.
  virtual void progressed() = 0;
  [[nodiscard]] virtual std::optional<core::error> reason_to_leave(time now) = 0;

  /// `last_record`: of the timeline.
  virtual void lost(time now, core::lsn last_record, const core::error& why) = 0;
  /// The server ended the stream because it has sent all its WAL.
  virtual void caught_up(time now) = 0;
  /// The pause before the next call of next().
  virtual std::chrono::milliseconds pause() = 0;

  /// A Postgres, not a safekeeper: it can be restored or promoted, so its WAL is compared with what it sent before; it
  /// keeps WAL by a slot; it requests a status only when it shuts down.
  [[nodiscard]] virtual bool is_source() const = 0;
  /// A message for each status; empty: none.
  [[nodiscard]] virtual core::bytes feedback(core::lsn received, core::lsn disk_consistent,
                                             core::wall_time now) const = 0;

  // -- what only safekeepers have
  virtual void published(const protocol::safekeeper_timeline_info&, time) {}
  virtual void change_members(const consensus::configuration&) {}
  /// A read waits for WAL.
  virtual void wanted() {}
  /// None of them has the next WAL.
  [[nodiscard]] virtual std::optional<messages::wal_gap> gap() const { return std::nullopt; }
};

/// The Postgres that a root follows.
std::unique_ptr<wal_origin> follow_source(std::string conninfo, std::string slot, core::monotonic_time now);
/// The safekeepers that keep a branch's WAL.
std::unique_ptr<wal_origin> follow_safekeepers(const storage::timeline_record& of);

}  // namespace strata::actors::pageserver
