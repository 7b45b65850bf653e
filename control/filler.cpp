#include "control/filler.hpp"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <utility>
#include <vector>

#include "control/child_process.hpp"
#include "control/failure.hpp"
#include "control/server_file.hpp"
#include "host/account.hpp"
#include "host/forked_process.hpp"
#include "host/postgres_process.hpp"
#include "host/program.hpp"
#include "page_files/filler.hpp"
#include "page_files/filler_assignment.hpp"
#include "page_files/fuse_mount.hpp"

namespace strata::control {

namespace {

constexpr std::chrono::seconds mount_limit{10};
constexpr std::chrono::milliseconds mount_look_interval{1};

core::result<void> wait_for_mount(pid_t filler, const std::string& data_directory, const std::string& log) {
  const auto deadline = std::chrono::steady_clock::now() + mount_limit;
  while (!page_files::fuse_mount_device(data_directory)) {
    const bool ended = host::wait_for_end(filler, mount_look_interval);
    if (!ended && std::chrono::steady_clock::now() < deadline) continue;
    ::kill(filler, SIGKILL);
    ::waitpid(filler, nullptr, 0);
    return core::error{core::errc::io_error, "mount " + data_directory + ": the filler " +
                                                 (ended ? "ended" : "did not mount it in time") + "; see " + log};
  }
  return {};
}

std::string log_of(const scope& of, const host::compute_record& record) {
  return host::registry(of.directory).directory_of(record.name) + "/agent.log";
}

std::vector<std::string> words_for(const scope& of, const host::compute_record& record) {
  return {
      std::filesystem::read_symlink("/proc/self/exe"), "compute-filler", "--dir", of.directory, "--name", record.name};
}

struct socket_ends {
  io::unique_fd guard, filler;
};
core::result<socket_ends> make_socket() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return core::from_errno("make a socket for a filler", errno);
  return socket_ends{io::unique_fd(ends[0]), io::unique_fd(ends[1])};
}

core::result<waiting_filler> execute_filler(const scope& of, const host::compute_record& record) {
  STRATA_ASSIGN(auto ends, make_socket());
  const host::program filler{.arguments = words_for(of, record),
                             .inherited = {{ends.filler.get(), page_files::assignment_descriptor}}};
  STRATA_ASSIGN(const pid_t process, host::start_detached(filler, log_of(of, record)));
  return waiting_filler{process, std::move(ends.guard)};
}

void fill_for(const scope& of, const std::string& compute, pid_t guard) {
  const io::unique_fd socket(page_files::assignment_descriptor);
  const host::registry computes(of.directory);
  const auto record = need(computes.load(compute), "can't fill in pages", "strata compute list");
  auto given = need(page_files::receive_assignment(socket.get()), "can't fill in pages", "");
  if (!given) return;
  page_files::filler_options options;
  options.map = std::move(given->map);
  if (given->group) {
    options.directory = record.data_directory;
    options.group = std::move(given->group);
  } else {
    options.directory = host::files_behind(record.data_directory);
    options.mount_point = record.data_directory;
    options.for_other_users = need(host::postgres_account(), "can't fill in pages", "").has_value();
  }
  options.fill = record.fill;
  options.guard = guard;
  options.pages.tenant = record.tenant_id;
  options.pages.timeline = record.timeline_id;
  options.pages.answer_limit = record.page_timeout;
  options.pages.at = given->at;
  options.pages.locate = [directory = of.directory]() -> core::result<core::address> {
    const auto file = read_server_file(directory);
    if (file) return core::parse_address(file->page);
    if (file.error().code != core::errc::not_found) return file.error();
    return core::error{core::errc::unavailable, "the server does not run; strata up --dir " + directory};
  };
  need(page_files::run_filler(std::move(options)), "can't fill in pages", "");
}

}  // namespace

core::result<waiting_filler> fork_filler(const scope& of, const host::compute_record& record) {
  if (record.pages == host::page_mode::copy || !host::has_one_thread()) return waiting_filler{};
  STRATA_ASSIGN(auto ends, make_socket());
  const pid_t guard = ::getpid();
  STRATA_ASSIGN(const pid_t process,
                host::fork_detached(
                    {.command_line = words_for(of, record),
                     .inherited = {{ends.filler.get(), page_files::assignment_descriptor}},
                     .run = [&of, &record, guard] { return run_child([&] { fill_for(of, record.name, guard); }); }},
                    log_of(of, record)));
  return waiting_filler{process, std::move(ends.guard)};
}

core::result<pid_t> start_filler(const scope& of, const host::compute_record& record, waiting_filler waiting,
                                 core::lsn at, const page_files::guarded_directory& directory) {
  const auto send = [&](const waiting_filler& to) {
    return page_files::send_assignment(to.socket.get(), at, directory.map(), directory.group());
  };
  if (waiting.process > 0 && !send(waiting)) {
    ::kill(waiting.process, SIGKILL);
    ::waitpid(waiting.process, nullptr, 0);
    waiting.process = 0;
  }
  if (waiting.process <= 0) {
    STRATA_ASSIGN(waiting, execute_filler(of, record));
    STRATA_TRY(send(waiting));
  }
  if (!directory.outlives_filler())
    STRATA_TRY(wait_for_mount(waiting.process, record.data_directory, log_of(of, record)));
  return waiting.process;
}

core::result<void> remove_mount(const std::string& data_directory) {
  if (page_files::remove_stale_mount(data_directory)) return {};
  // Its filler still runs, or does not end: the guard of the directory is gone, or asks for this.
  return page_files::detach_fuse_mount(data_directory);
}

core::result<void> remove_files(const scope& of, const host::compute_record& record) {
  STRATA_TRY(remove_mount(record.data_directory));
  return host::registry(of.directory).remove(record);
}

void run_filler(const scope& of, const std::string& compute) { fill_for(of, compute, ::getppid()); }

}  // namespace strata::control
