#pragma once

#include <functional>
#include <string>

#include "actors/runtime/io_jobs.hpp"
#include "host/registry.hpp"

namespace strata::actors::compute {

/// The command that starts a compute, as its agent sees it. It may be killed: a temporary compute lives as long as its
/// command, and a new one until the command has seen it run. Part of the compute agent.
class command_watch {
 public:
  /// `directory`: of the compute.
  command_watch(const host::compute_record& of, std::string directory, runtime::io_jobs jobs)
      : name_(of.name),
        directory_(std::move(directory)),
        temporary_(of.temporary),
        ready_(of.ready),
        jobs_(std::move(jobs)) {}

  /// Five times a second. `gone`: nobody needs the compute any more.
  void look(std::function<void()> gone);

 private:
  std::string name_;
  std::string directory_;
  bool temporary_;
  bool ready_;  ///< the command has seen it run
  bool looking_ = false;
  runtime::io_jobs jobs_;
};

}  // namespace strata::actors::compute
