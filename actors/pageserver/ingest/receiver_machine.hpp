#pragma once

#include <cstdint>

namespace strata::actors::pageserver {

/// The state of a wal_receiver, and how many batches it may hand over. A pure machine: each function is an event, and
/// an event in a wrong state is a broken invariant.
class receiver_machine {
 public:
  enum class state : std::uint8_t {
    idle,                ///< not connected; the next attempt is due later
    refused,             ///< not connected until the source is resumed
    connecting,          ///< a job opens the connection
    listening,           ///< connected: input is decoded
    importing,           ///< a job imports a piece of a base backup
    opening,             ///< a job opens the decoder
    waiting_for_disk,    ///< a job adds a record that needs the disk
    waiting_for_credit,  ///< for the answer to a batch
  };
  /// Batches without an answer.
  static constexpr int in_flight_max = 2;

  [[nodiscard]] state now() const { return now_; }
  [[nodiscard]] bool listens() const { return now_ == state::listening; }
  /// Whether there is no connection and no job that opens one.
  [[nodiscard]] bool is_idle() const { return now_ == state::idle || now_ == state::refused; }
  /// Whether a job of this receiver is in progress: its objects must not be used, nor the connection be closed.
  [[nodiscard]] bool job_runs() const;
  [[nodiscard]] int in_flight() const { return in_flight_; }

  // -- the connection --
  /// Whether the store shows everything that was handed over, and no connection is open or refused.
  [[nodiscard]] bool may_connect() const { return now_ == state::idle && in_flight_ == 0; }
  void connect();
  void connected();
  /// Lost, closed, or never made. From a state in which no job runs, or from connecting.
  void disconnected();
  /// Like disconnected(), until resumed.
  void refuse();
  /// False: it was not refused.
  bool resume();

  // -- jobs, while listening --
  void import_piece() { begin_job(state::importing); }
  void open_decoder() { begin_job(state::opening); }
  void go_to_disk() { begin_job(state::waiting_for_disk); }
  void job_done();

  // -- credit --
  [[nodiscard]] bool may_hand_over() const { return in_flight_ < in_flight_max; }
  void handed_over();
  /// While listening: until answered() returns true.
  void wait_for_credit();
  /// A batch was answered. True: it was waited for, and the receiver listens again.
  bool answered();

 private:
  void begin_job(state job);

  state now_ = state::idle;
  int in_flight_ = 0;
};

}  // namespace strata::actors::pageserver
