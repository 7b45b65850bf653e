#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "actors/runtime/io_jobs.hpp"
#include "core/result.hpp"
#include "host/agent_status.hpp"

namespace strata::actors::compute {

/// The file with the status of a compute agent. One write at a time; changes during a write are written after it.
/// Part of the compute agent: everything it needs of that is an argument.
class status_file {
 public:
  struct context {
    std::function<void(const core::error&)> failed;  ///< only for the first of several failures in a row
    std::function<void()> written;                   ///< or failed; save() follows
  };

  status_file(std::string directory, runtime::io_jobs jobs, context of)
      : directory_(std::move(directory)), jobs_(std::move(jobs)), context_(std::move(of)) {}

  /// False: the file has this status already, its write has just failed (in written()), or the file is being written.
  /// A status whose write failed is written by a later save().
  bool save(const host::agent_status& now);
  [[nodiscard]] bool saving() const { return saving_; }
  /// At each look of the agent: whether the proposer is asked for its positions. When nothing waits for them, one look
  /// of five is enough: each costs an idle compute four changes of threads.
  bool wants_positions(bool settled) { return !settled || looks_++ % 5 == 0; }
  /// The status of the last write, as a base for the next one; a change is written by the next save().
  [[nodiscard]] host::agent_status& content() { return content_; }
  [[nodiscard]] const host::agent_status& content() const { return content_; }

 private:
  std::string directory_;
  runtime::io_jobs jobs_;
  context context_;
  host::agent_status content_;
  std::optional<host::agent_status> written_;  ///< in the file, or in the write in progress
  std::uint32_t looks_ = 0;
  bool saving_ = false;
  bool failing_ = false;  ///< the last write failed
};

}  // namespace strata::actors::compute
