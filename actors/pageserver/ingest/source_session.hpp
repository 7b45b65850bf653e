#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::actors::pageserver {

/// The purpose of a connection to a source.
struct session_goal {
  enum class kind {
    probe,   ///< check whether the source is suitable, and has room for the slot
    import,  ///< base backup, then stream from its start
    resume,  ///< stream from `resume_from`
    follow,  ///< the same from a safekeeper, which has no settings and no slots
  } wanted = kind::probe;
  std::string slot;
  core::lsn resume_from;  ///< all WAL before it was received
  /// Of a source: WAL is read again from here, and compared. 0: from resume_from.
  core::lsn read_from;
  std::uint32_t source_timeline = 0;                              ///< on which it was followed; 0: not known
  std::uint64_t system_id = 0;                                    ///< of the cluster that was imported; 0 while unknown
  std::uint32_t wal_segment_size = pg::default_wal_segment_size;  ///< of follow; the other purposes query it
};

/// What the owner of the connection does next.
struct wait_for_event {};
struct send_identify_system {};
struct send_show {
  std::string setting;
};
struct send_create_slot {
  bool for_this_connection = false;
};
struct send_drop_slot {};
struct send_read_slot {};
struct send_show_history {
  std::uint32_t source_timeline = 0;
};
struct send_start_backup {};
struct send_start_replication {
  core::lsn from;
  std::uint32_t source_timeline = 1;
};
struct session_complete {};  ///< of a probe
using session_command =
    std::variant<wait_for_event, send_identify_system, send_show, send_create_slot, send_drop_slot, send_read_slot,
                 send_show_history, send_start_backup, send_start_replication, session_complete>;

/// The dialogue with a source or a safekeeper, as a pure machine: an event of the connection in, the next command
/// out.
///
///   connected -> identify -> settings -> slot -+- probe:  complete, unless another client uses the slot; a slot
///                                              |          that it created is dropped, since no record names it yet
///                                              +- import: backup -> stream from the backup's start
///                                              +- resume: stream from read_from -> the next timeline of the source
///                         |                    `- (of a source with earlier timelines, identify -> history)
///                         `-- follow: stream from resume_from
///
/// Errors have the reason why the source can't be followed: unsupported (standby), invalid_argument (wal_level, counts
/// us as a synchronous standby), conflict (the slot belongs to another follower; or, of resume, this is not the server
/// that was followed).
class source_session {
 public:
  explicit source_session(session_goal goal) : goal_(std::move(goal)), wal_segment_size_(goal_.wal_segment_size) {}

  core::result<session_command> on(const pg::client::replication_event& event);

  /// Valid after the event that has it.
  [[nodiscard]] std::uint64_t system_id() const { return system_id_; }
  [[nodiscard]] core::lsn source_head() const { return source_head_; }
  [[nodiscard]] core::lsn backup_start() const { return backup_start_; }
  /// The streamed one.
  [[nodiscard]] std::uint32_t source_timeline() const { return source_timeline_; }
  /// Not empty: the source waits at COMMIT for a synchronous standby, and would count us as one.
  [[nodiscard]] const std::string& synchronous_standby_names() const { return synchronous_standby_names_; }
  [[nodiscard]] bool data_checksums() const { return data_checksums_; }
  [[nodiscard]] bool wal_log_hints() const { return wal_log_hints_; }
  [[nodiscard]] std::uint32_t wal_segment_size() const { return wal_segment_size_; }

 private:
  core::result<session_command> after(const pg::client::connected& event);
  core::result<session_command> after(const pg::client::system_identified& event);
  core::result<session_command> after(const pg::client::history_shown& event);
  core::result<session_command> after(const pg::client::setting_shown& event);
  core::result<session_command> after(const pg::client::slot_created& event) const;
  core::result<session_command> after(const pg::client::slot_read& event) const;
  core::result<session_command> after(const pg::client::streaming_ended& event);
  [[nodiscard]] core::result<session_command> after_slot() const;
  [[nodiscard]] session_command next_query_setting(std::size_t number) const;
  [[nodiscard]] core::result<void> check_standby_names(const std::string& value);
  [[nodiscard]] session_command stream_on() const;
  [[nodiscard]] core::lsn read_from() const;

  session_goal goal_;
  std::uint64_t system_id_ = 0;
  std::uint32_t source_timeline_ = 1;
  pg::major_version major_ = pg::major_version::v15;
  std::string application_name_;
  std::string synchronous_standby_names_;
  core::lsn source_head_;
  core::lsn backup_start_;
  bool data_checksums_ = false;
  bool wal_log_hints_ = false;
  std::uint32_t wal_segment_size_;
};

/// A setting on which answers to queries depend, and that a compute does not have by itself.
bool differs_on_computes(const pg::client::setting_shown& setting);

}  // namespace strata::actors::pageserver
