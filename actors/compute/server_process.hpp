#pragma once

#include <sys/types.h>

#include <functional>
#include <utility>

#include "actors/runtime/io_jobs.hpp"
#include "actors/runtime/socket_watcher.hpp"
#include "core/error.hpp"
#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::actors::compute {

/// The Postgres of one compute, as a process: jobs start and end it, and its pidfd reports its end. Part
/// of the compute agent: everything it needs of that is an argument.
class server_process {
 public:
  using starter = std::function<core::result<pid_t>()>;
  using ender = std::function<core::result<void>()>;
  struct context {
    std::function<runtime::socket_owner()> owner;
    /// An error, too, when its end could not be watched: it has got SIGQUIT then.
    std::function<void(const core::result<void>&)> started;
    /// Once for each server, and for each end() or abandon() without one. While jobs end it: after the last of them.
    std::function<void()> ended;
    std::function<void(const char* doing, const core::error&)> note;
  };

  /// `sockets` outlives it.
  server_process(runtime::socket_watcher& sockets, runtime::io_jobs jobs, context of)
      : sockets_(sockets), jobs_(std::move(jobs)), context_(std::move(of)) {}
  ~server_process() { forget(); }
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;

  void start(starter by);
  /// Ends it by `by`, which waits for the end. If `by` fails, the error is noted and the server counts as ended.
  void end(const char* doing, ender by);
  /// SIGQUIT at once, then `by` makes sure that it has ended. A server that is starting is ended after its start.
  void abandon(ender by);
  /// SIGQUIT: no client may receive an answer from it any more.
  void quit_now() const;
  /// Whether the event was the end of the process.
  void on_ready(runtime::watch_token token);

 private:
  core::result<void> watch(pid_t server);
  void forget();

  runtime::socket_watcher& sockets_;
  runtime::io_jobs jobs_;
  context context_;
  pid_t server_ = 0;
  io::unique_fd process_;
  runtime::watch_token token_{};
  bool starting_ = false;
  ender abandon_when_started_;
  int ending_ = 0;  ///< jobs that end it
};

}  // namespace strata::actors::compute
