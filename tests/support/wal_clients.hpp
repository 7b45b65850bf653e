#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "protocol/quorum_codec.hpp"
#include "tests/support/pagestream_client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

/// A `strata safekeeper run` as a child of the test. Failures throw std::runtime_error with its log. The destructor
/// ends it.
class safekeeper_process {
 public:
  /// Starts nothing yet. `directory` empty: one of its own, removed with the object.
  explicit safekeeper_process(std::uint64_t id, std::filesystem::path directory = {},
                              std::vector<std::string> arguments = {});
  ~safekeeper_process();

  void start();
  /// Returns when it has ended, and what it ended with.
  int stop();
  void kill();
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] std::uint16_t wal_port() const { return wal_port_; }
  [[nodiscard]] std::uint16_t http_port() const { return http_port_; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] std::string log() const;
  [[nodiscard]] consensus::member member() const { return {{id_}, "127.0.0.1", wal_port_}; }

  /// Throws unless the status is 2xx.
  nlohmann::json api(const std::string& method, const std::string& path, const nlohmann::json& body = nullptr) const;
  /// The status, whatever it is.
  [[nodiscard]] int status_of(const std::string& method, const std::string& path,
                              const nlohmann::json& body = nullptr) const;
  [[nodiscard]] std::string text(const std::string& path) const;

 private:
  std::uint64_t id_;
  temp_dir home_;
  std::filesystem::path directory_;
  std::vector<std::string> arguments_;
  std::unique_ptr<process> process_;
  std::uint16_t wal_port_ = 0;
  std::uint16_t http_port_ = 0;
};

/// Whose WAL it is.
struct wal_identity {
  core::tenant_id tenant = core::make_id<core::tenant_id>();
  core::timeline_id timeline = core::make_id<core::timeline_id>();
  [[nodiscard]] std::string options() const {
    return "-c tenant_id=" + core::to_string(tenant) + " -c timeline_id=" + core::to_string(timeline);
  }
  [[nodiscard]] std::string path() const {
    return "/v1/tenant/" + core::to_string(tenant) + "/timeline/" + core::to_string(timeline);
  }
};

/// A connection to a WAL service that has started up, and what can be said over it, blocking.
class wal_client {
 public:
  wal_client(std::uint16_t port, const wal_identity& of);

  void query(const std::string& text) { connection_.send(query_message(text)); }
  struct message {
    char tag = 0;
    core::bytes body;
    [[nodiscard]] std::string text() const { return {body.begin(), body.end()}; }
  };
  /// nullopt when the peer closed the connection.
  std::optional<message> next();
  /// Messages up to ReadyForQuery, or the end.
  std::vector<message> until_ready();
  void send_copy_data(core::bytes_view payload);
  [[nodiscard]] const raw_connection& connection() const { return connection_; }

 private:
  raw_connection connection_;
};

/// A proposer towards one safekeeper, without any rules: says what it is told to.
class test_proposer {
 public:
  /// After START_WAL_PUSH.
  test_proposer(std::uint16_t port, const wal_identity& of);

  void say(const consensus::proposer_message& message, core::bytes_view wal = {});
  /// Throws when the connection ends; the error's text is what the safekeeper said.
  protocol::received_reply hear();
  template <class Reply>
  Reply hear_one() {
    return std::get<Reply>(hear().message);
  }

  /// Greets, is elected in `in` with a history that begins at `start`, and is told whether the vote was given.
  bool lead(const consensus::configuration& members, consensus::term in, core::lsn start);
  /// Appends [begin, begin + wal.size()) in pieces, announcing `commit`, until everything is durable.
  void push(core::lsn begin, core::bytes_view wal, core::lsn commit, std::size_t piece = consensus::append_size_max);
  [[nodiscard]] std::uint32_t generation() const { return generation_; }

 private:
  wal_identity of_;
  wal_client client_;
  std::uint32_t generation_ = 0;
  consensus::term in_;
};

/// What a safekeeper streams from `from`, until it has `size` bytes. `command` is put behind the LSN.
core::bytes stream_wal(std::uint16_t port, const wal_identity& of, core::lsn from, std::size_t size,
                       const std::string& command = "");

inline constexpr std::uint64_t test_system_id = 4711;

}  // namespace strata::tests
