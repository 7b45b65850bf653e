#pragma once

#include <functional>
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
    std::function<void(const core::error&)> failed;
    std::function<void()> written;  ///< save() follows
  };

  status_file(std::string directory, runtime::io_jobs jobs, context of)
      : directory_(std::move(directory)), jobs_(std::move(jobs)), context_(std::move(of)) {}

  /// False: the file has this status already, or is being written.
  bool save(const host::agent_status& now);
  [[nodiscard]] bool saving() const { return saving_; }
  /// The content of the file, or of the write in progress.
  [[nodiscard]] host::agent_status& content() { return content_; }
  [[nodiscard]] const host::agent_status& content() const { return content_; }

 private:
  std::string directory_;
  runtime::io_jobs jobs_;
  context context_;
  host::agent_status content_;
  bool saving_ = false;
  bool saved_once_ = false;
};

}  // namespace strata::actors::compute
