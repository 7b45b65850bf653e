#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::host {

/// A line by which Postgres says that a transaction was made visible, and perhaps acknowledged, although its standby
/// has not confirmed it: its backend was told to stop waiting.
bool tells_of_cancelled_wait(std::string_view line);
/// A line by which a standby says that it has paused for good: the primary runs with larger settings.
bool tells_of_outgrown_settings(std::string_view line);

/// Follows a server's log for lines of a kind. Any thread, one at a time.
class log_watch {
 public:
  /// From the end that the log has now.
  explicit log_watch(std::string path, bool (*tells)(std::string_view) = tells_of_cancelled_wait);

  /// Whether the log has another length than what was read of it. Reads nothing and waits for no disk: the kernel has
  /// the entry of a file that is written to.
  [[nodiscard]] bool has_changed() const;
  /// Whether one was written since the last call. What is there to be read is read up to 1 MiB; a line longer than
  /// 16 KiB is looked at in pieces.
  bool look();

 private:
  std::string path_;
  bool (*tells_)(std::string_view);
  std::int64_t position_ = 0;
  std::string begun_;  ///< a line whose end is not written yet
};

}  // namespace strata::host
