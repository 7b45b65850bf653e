#include "actors/compute/server_process.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

namespace strata::actors::compute {

void server_process::start(starter by) {
  starting_ = true;
  jobs_.run("start Postgres", std::move(by), [this](const core::result<pid_t>& started) {
    starting_ = false;
    if (auto abandons = std::exchange(abandon_when_started_, nullptr)) return end("kill Postgres", std::move(abandons));
    if (!started) return context_.started(started.error());
    context_.started(watch(*started));
  });
}

void server_process::end(const char* doing, ender by) {
  ++ending_;
  jobs_.run(doing, std::move(by), [this](const core::result<void>& how) {
    if (!how) context_.note("end Postgres", how.error());
    // After the first report the next server may be started, which the remaining job would end.
    if (--ending_ > 0) return;
    // The job that ends it may come after its end. One that it did not find, or that still ends, is waited for.
    if (server_ > 0 && ::waitpid(server_, nullptr, WNOHANG) == 0 && how) {
      ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
      return;
    }
    forget();
    context_.ended();
  });
}

void server_process::abandon(ender by) {
  quit_now();
  if (starting_)
    abandon_when_started_ = std::move(by);
  else
    end("kill Postgres", std::move(by));
}

void server_process::quit_now() const {
  // Not by its number, which may be another process's: the job that ends it may have reaped it.
  if (process_) ::syscall(SYS_pidfd_send_signal, process_.get(), SIGQUIT, nullptr, 0);
}

void server_process::on_ready(runtime::watch_token token) {
  if (!process_ || token != token_) return;
  // The job that ends it reports its end, so that no event of this start comes in the next one.
  if (ending_ > 0) return;
  ::waitpid(server_, nullptr, WNOHANG);
  forget();
  context_.ended();
}

core::result<void> server_process::watch(pid_t server) {
  server_ = server;
  process_ = io::unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, server, 0)));
  auto token = process_ ? sockets_.watch(process_.get(), {.read = true}, context_.owner())
                        : core::result<runtime::watch_token>(core::from_errno("pidfd_open", errno));
  if (token) {
    token_ = *token;
    return {};
  }
  // Its end would not be noticed.
  ::kill(server, SIGQUIT);
  forget();
  return std::move(token).error().within("watch Postgres, process " + std::to_string(server));
}

void server_process::forget() {
  if (process_) sockets_.forget(token_);
  process_.reset();
  server_ = 0;
}

}  // namespace strata::actors::compute
