#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "consensus/acceptor.hpp"
#include "core/bytes.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::tests {

/// A safekeeper without a disk: the real acceptor machine behind a real socket and the real protocol (START_WAL_PUSH
/// and START_REPLICATION), its WAL in memory. Any thread may call it.
class acceptor_server {
 public:
  /// Listens at once; for any tenant and timeline, the first that greets.
  explicit acceptor_server(std::uint64_t id);
  ~acceptor_server();
  acceptor_server(const acceptor_server&) = delete;
  acceptor_server& operator=(const acceptor_server&) = delete;

  [[nodiscard]] consensus::member address() const;

  /// Ends all connections and refuses new ones, as a process that was killed. What it had is kept.
  void stop();
  void start();
  /// Holds still with open connections, as a process that was stopped with SIGSTOP.
  void pause();
  void resume();
  /// As an operator would, over HTTP.
  void give(const consensus::acceptor_input& input);

  [[nodiscard]] core::lsn flush_lsn() const;
  [[nodiscard]] core::lsn commit_lsn() const;
  [[nodiscard]] consensus::term in() const;
  /// [from, to) of its log; throws when it does not have that.
  [[nodiscard]] core::bytes wal(core::lsn from, core::lsn to) const;
  /// Bytes that it sent to others that asked for WAL.
  [[nodiscard]] std::uint64_t bytes_lent() const;

 private:
  struct client {
    int fd = -1;
    std::thread thread;
  };
  void accept_clients();
  void serve(int fd);
  bool push(int fd, core::bytes_view payload);
  void lend(int fd, core::lsn from, consensus::term in);
  void carry_out(const consensus::acceptor_effects& effects, core::bytes_view wal, core::bytes& replies);
  void decode_from(core::lsn start);
  void find_records();
  void wait_while_paused();

  std::uint64_t id_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::thread accepting_;
  mutable std::mutex mutex_;
  std::condition_variable moved_;
  bool paused_ = false;
  bool stopped_ = false;
  std::list<client> clients_;
  std::unique_ptr<consensus::acceptor> acceptor_;
  core::lsn origin_;
  core::bytes wal_;
  std::unique_ptr<pg::wal::stream_decoder> decoder_;
  core::lsn record_end_;
  std::uint64_t lent_ = 0;
};

}  // namespace strata::tests
