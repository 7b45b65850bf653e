#include "actors/compute/server_process.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace strata::actors::compute {

void server_process::start(starter by) {
  starting_ = true;
  jobs_.run("start Postgres", std::move(by), [this](const core::result<pid_t>& started) {
    starting_ = false;
    if (auto abandons = std::exchange(abandon_when_started_, nullptr)) return end("kill Postgres", std::move(abandons));
    if (!started) return context_.started(started.error());
    watch(*started);
    context_.started({});
  });
}

void server_process::end(const char* doing, ender by) {
  ++ending_;
  jobs_.run(doing, std::move(by), [this](const core::result<void>& how) {
    --ending_;
    if (!how) context_.note("end Postgres", how.error());
    // The job that ends it may come after its end.
    if (server_ > 0) ::waitpid(server_, nullptr, WNOHANG);
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
  if (server_ > 0) ::kill(server_, SIGQUIT);
}

void server_process::on_ready(runtime::watch_token token) {
  if (!process_ || token != token_) return;
  // The job that ends it reports its end, so that no event of this start comes in the next one.
  if (ending_ > 0) return;
  ::waitpid(server_, nullptr, WNOHANG);
  forget();
  context_.ended();
}

void server_process::watch(pid_t server) {
  server_ = server;
  process_ = io::unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, server, 0)));
  if (!process_) return context_.note("watch Postgres", core::from_errno("pidfd_open", errno));
  auto token = sockets_.watch(process_.get(), {.read = true}, context_.owner());
  if (!token) return context_.note("watch Postgres", token.error());
  token_ = *token;
}

void server_process::forget() {
  if (process_) sockets_.forget(token_);
  process_.reset();
  server_ = 0;
}

}  // namespace strata::actors::compute
