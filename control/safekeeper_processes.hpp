#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <vector>

#include "config/options.hpp"
#include "control/safekeeper_file.hpp"
#include "core/backoff.hpp"
#include "core/clock.hpp"

namespace strata::control {

/// The safekeepers of a server's directory: processes of their own that outlive the server, so that a killed server
/// takes no WAL quorum with it. Starts what does not run, adopts what does, and starts again what ended. One thread
/// calls everything; no call waits except start() and stop().
class safekeeper_processes {
 public:
  struct options {
    std::string directory;  ///< the server's
    /// The words of the program for a safekeeper, the first its path. It takes its directory's lock (directory_lock)
    /// as long as it lives and writes safekeeper.json when it is ready.
    std::function<std::vector<std::string>(std::uint64_t id)> command;
    std::function<core::monotonic_time()> now = std::chrono::steady_clock::now;
  };

  explicit safekeeper_processes(options options) : options_(std::move(options)) {}

  /// Safekeepers 1 to `count` and all that the directory has already: a cluster does not forget its members. Returns
  /// when all are ready or the limit is over; then errc::unavailable if the ready ones are no majority (what was
  /// started here is ended), and a line in the log for each that is not ready otherwise.
  core::result<void> start(std::uint64_t count, std::chrono::milliseconds limit);

  /// Takes note of those that ended, and starts those again whose pause is over: 1 s, doubling to 30 s while they end
  /// within a minute. Call at SIGCHLD and every second: an adopted process is no child of ours and tells nobody.
  void look_after();

  [[nodiscard]] bool empty() const { return kept_.empty(); }

 private:
  struct kept {
    pid_t process = 0;  ///< 0: does not run
    bool child = false;
    core::monotonic_time since{};    ///< runs since then
    core::monotonic_time restart{};  ///< not before
    core::backoff pauses{{.first = std::chrono::seconds(1), .longest = std::chrono::seconds(30)}};
  };
  void begin(std::uint64_t id, kept& of);
  void ended(std::uint64_t id, kept& of, const std::string& how);
  void reap(std::uint64_t id, kept& of);
  [[nodiscard]] bool ready(std::uint64_t id, const kept& of) const;
  void give_up();

  options options_;
  std::map<std::uint64_t, kept> kept_;
};

/// The words that start a safekeeper of this server.
std::vector<std::string> safekeeper_command(const config::server_options& options, const std::string& broker_address,
                                            std::uint64_t id);

/// Asks all running safekeepers of a server's directory to end and waits. How many ran; errc::timeout names one that
/// goes on.
core::result<std::size_t> stop_safekeepers(const std::string& server_directory, std::chrono::milliseconds limit);

}  // namespace strata::control
