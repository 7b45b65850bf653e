#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::pg::client {

/// A connection string (key=value or URI form) with all secrets replaced by "***": for logs and messages.
std::string redact_conninfo(std::string_view conninfo);

/// What a connection reports, in the order it happens. Views are valid until the next call of receive().
struct connected {
  std::uint32_t server_version = 0;  ///< 150020 is 15.20
  major_version major = major_version::v15;
  bool in_recovery = false;      ///< the source is a standby
  std::string application_name;  ///< ours, as the source sees it
  std::string user;              ///< as libpq parsed the connection string, services and environment included
  std::string database;          ///< likewise; empty when none was named and libpq would use the user's name
  std::string safekeeper;        ///< the identity that a safekeeper sent (wire::parse_safekeeper_identity); else empty
};
struct system_identified {
  std::uint64_t system_id = 0;
  std::uint32_t timeline = 0;
  core::lsn flushed;  ///< end of the source's WAL on disk
};
struct setting_shown {
  std::string name;
  std::string value;  ///< empty, too, if the user may not read it
};
struct slot_created {
  bool existed = false;  ///< a slot of that name existed already, and is used
};
/// A physical slot; reading a logical one fails.
struct slot_read {
  bool exists = false;
  core::lsn restart;  ///< WAL is kept from here; 0: the slot was never used
};
/// The earlier timelines of the source: the content of the history file of its current one.
struct history_shown {
  std::string text;
};
struct slot_dropped {
  bool existed = false;
};
struct backup_started {
  struct tablespace {
    oid id = 0;
    std::string path;
    std::uint64_t size_estimate = 0;
  };
  core::lsn start;  ///< replay must begin here
  std::uint32_t timeline = 0;
  std::uint64_t size_estimate = 0;      ///< of the whole backup, in bytes; 0 if unknown
  std::vector<tablespace> tablespaces;  ///< without the default one
};
/// Start of a tar archive: the data directory (tablespace 0) or one tablespace.
struct archive_started {
  oid tablespace = 0;
};
struct archive_data {
  core::bytes_view bytes;
};
struct backup_finished {
  core::lsn end;  ///< the data directory is consistent once WAL is replayed up to here
  std::uint32_t timeline = 0;
};
struct streaming_started {};
struct wal_data {
  core::lsn start;
  core::lsn server_end;  ///< end of WAL on the source when it was sent
  timestamp sent = 0;
  core::bytes_view bytes;
};
struct keepalive {
  core::lsn server_end;
  timestamp sent = 0;
  bool reply_requested = false;
};
/// The source ended the stream: it shuts down, or the timeline ended and another begins.
struct streaming_ended {
  std::uint32_t next_timeline = 0;  ///< 0 unless the source switched to another one
  core::lsn next_timeline_start;
  bool caught_up = false;  ///< a safekeeper has sent all its WAL, and no proposer writes
};
using replication_event = std::variant<connected, system_identified, setting_shown, slot_created, slot_read,
                                       history_shown, slot_dropped, backup_started, archive_started, archive_data,
                                       backup_finished, streaming_started, wal_data, keepalive, streaming_ended>;

enum class slot_lifetime { permanent, connection };

struct backup_options {
  std::string label = "strata";
  bool fast_checkpoint = true;
};

/// A physical replication connection to a stock server, without any blocking call. The owner waits until fd() is ready
/// for wants_read() and wants_write(), calls step(), then receive() until it returns no event.
///
///   connecting --connected--> idle --command--> busy --its event--> idle
///                                    start_backup: busy until backup_finished
///                                    start_replication: busy until streaming_ended
///
/// Commands are refused with errc::busy unless idle(). Errors name the remedy for an operator and never contain
/// a password. After an error usable() tells whether the connection can be used; if not, open a new one. Codes:
/// unavailable (can't reach it, starting up, shutting down, connection lost), permission_denied (password, no
/// REPLICATION right, pg_hba.conf), unsupported (version), invalid_argument (wal_level, connection string),
/// not_found (slot), out_of_range (WAL already removed), busy (no free walsender or slot, slot in use).
class replication_connection {
 public:
  /// Starts connecting. Name resolution of a host name may block for as long as the resolver takes.
  static core::result<replication_connection> open(const std::string& conninfo,
                                                   const std::string& application_name = "strata");
  replication_connection(replication_connection&&) noexcept;
  replication_connection& operator=(replication_connection&&) noexcept;
  ~replication_connection();

  /// May change while connecting: call it again after each step(). -1 when there is none.
  [[nodiscard]] int fd() const;
  [[nodiscard]] bool wants_read() const;
  [[nodiscard]] bool wants_write() const;

  /// Does all work that is possible without blocking: connects, sends queued data, reads input. Every call reads more
  /// input, so call receive() until it is empty before the next one. Fails only while connecting; receive() reports a
  /// later loss of the connection, after all earlier input.
  core::result<void> step();
  /// The next event, if its input is complete.
  core::result<std::optional<replication_event>> receive();

  [[nodiscard]] bool idle() const;
  [[nodiscard]] bool streaming() const;
  [[nodiscard]] bool usable() const;
  /// Valid after `connected`.
  [[nodiscard]] major_version major() const;

  core::result<void> identify_system();
  core::result<void> show(const std::string& setting);
  /// Refuses names that Postgres refuses (a-z, 0-9, _). Keeps WAL from now on, not from the first use.
  core::result<void> create_physical_slot(const std::string& name, slot_lifetime lasts = slot_lifetime::permanent);
  /// For majors from 15 on.
  core::result<void> read_slot(const std::string& name);
  core::result<void> show_history(std::uint32_t timeline);
  /// Waits for a connection that uses the slot to end.
  core::result<void> drop_slot(const std::string& name);
  core::result<void> start_backup(const backup_options& options = {});
  /// `slot` may be empty. `from` is any byte position at or after the WAL's begin.
  /// `term` is for safekeepers: they send flushed WAL, committed or not, as long as they are in that term.
  core::result<void> start_replication(const std::string& slot, core::lsn from, std::uint32_t timeline = 1,
                                       std::optional<std::uint64_t> term = std::nullopt);
  /// Reports our positions to the source; `flushed` 0: no position, so that a source neither counts us as a synchronous
  /// standby nor moves a slot. errc::busy if the socket accepts no data now: step() and try again.
  core::result<void> send_status(core::lsn written, core::lsn flushed, core::lsn applied, bool reply_requested = false);
  /// Sends a message for safekeepers along the stream. errc::busy as for send_status().
  core::result<void> send_message(core::bytes_view message);
  /// Ends the stream in order; streaming_ended comes after the WAL in flight. errc::busy as for send_status().
  core::result<void> stop_replication();

 private:
  struct implementation;
  explicit replication_connection(std::unique_ptr<implementation> of);
  std::unique_ptr<implementation> implementation_;
};

/// Refuses a source whose WAL is not sufficient for a copy; the error names the setting.
core::result<void> require_wal_level(std::string_view value);
/// Refuses a standby as a source.
core::result<void> require_primary(const connected& source);

}  // namespace strata::pg::client
