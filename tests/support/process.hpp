#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace strata::tests {

/// A user to run a program as.
struct account {
  std::string name;
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
};

/// Whom Postgres programs must run as: `postgres` or else `nobody` when this process is root (they refuse root), and
/// nobody in particular otherwise.
std::optional<account> postgres_account();

struct command {
  /// The program, found through PATH unless it has a slash, and its arguments.
  std::vector<std::string> arguments;
  std::string input{};
  /// Set on top of this process's environment.
  std::vector<std::pair<std::string, std::string>> environment{};
  std::filesystem::path directory{};
  std::optional<account> run_as{};
  /// Where both outputs go (appended); empty means that they are captured.
  std::filesystem::path log{};
  /// Sent to the program when the thread that started it ends, however it ends.
  int signal_at_death = 9;
};

struct finished {
  /// 128 + the signal for a program that a signal ended.
  int exit_code = 0;
  std::string out;
  std::string err;
};

/// A running program. The destructor kills and reaps it.
class process {
 public:
  /// Throws std::runtime_error when the program can't be started. Safe in a process with threads.
  explicit process(const command& what);
  ~process();
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Not yet reaped and not a zombie either.
  [[nodiscard]] bool running();
  /// False when the program still runs at the end of the time.
  bool wait_for(std::chrono::milliseconds time);
  /// Waits and gives what it said. Throws, and kills it, when that takes longer than `limit`.
  finished wait(std::chrono::milliseconds limit = std::chrono::seconds(60));
  void signal(int number) const;
  /// What a captured program has said up to now.
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

 private:
  pid_t pid_ = -1;
  int handle_ = -1;  // pidfd
  int out_ = -1;
  int err_ = -1;
  std::optional<int> exit_code_;
};

/// Start, wait, collect.
finished run(const command& what, std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace strata::tests
