#include "control/filler.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "control/failure.hpp"
#include "control/server_file.hpp"
#include "host/account.hpp"
#include "host/postgres_process.hpp"
#include "host/program.hpp"
#include "page_files/filler.hpp"
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

}  // namespace

core::result<pid_t> start_filler(const std::string& server_directory, const host::compute_record& record, core::lsn at,
                                 const page_files::guarded_directory& of) {
  host::program filler{
      .arguments = {std::filesystem::read_symlink("/proc/self/exe"), "compute-filler", "--dir", server_directory,
                    "--name", record.name, "--at", core::to_string(at), "--map", std::to_string(of.map())},
      .inherited = {{of.map(), of.map()}}};
  if (of.outlives_filler()) {
    filler.arguments.insert(filler.arguments.end(), {"--group", std::to_string(of.group())});
    filler.inherited.push_back({of.group(), of.group()});
  }
  const std::string log = host::registry(server_directory).directory_of(record.name) + "/agent.log";
  STRATA_ASSIGN(const pid_t pid, host::start_detached(filler, log));
  if (!of.outlives_filler()) STRATA_TRY(wait_for_mount(pid, record.data_directory, log));
  return pid;
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

void run_filler(const scope& of, const filler_words& words) {
  const host::registry computes(of.directory);
  const auto record = need(computes.load(words.compute), "can't fill in pages", "strata compute list");
  page_files::filler_options options;
  options.map = io::unique_fd(words.map);
  if (words.group >= 0) {
    options.directory = record.data_directory;
    options.group = io::unique_fd(words.group);
    options.fill = record.fill;
  } else {
    options.directory = host::files_behind(record.data_directory);
    options.mount_point = record.data_directory;
    options.for_other_users = need(host::postgres_account(), "can't fill in pages", "").has_value();
  }
  options.guard = ::getppid();
  options.pages.tenant = record.tenant_id;
  options.pages.timeline = record.timeline_id;
  options.pages.answer_limit = record.page_timeout;
  options.pages.at = need(core::parse_lsn(words.at), "can't fill in pages", "");
  options.pages.locate = [directory = of.directory]() -> core::result<core::address> {
    const auto file = read_server_file(directory);
    if (file) return core::parse_address(file->page);
    if (file.error().code != core::errc::not_found) return file.error();
    return core::error{core::errc::unavailable, "the server does not run; strata up --dir " + directory};
  };
  need(page_files::run_filler(std::move(options)), "can't fill in pages", "");
}

}  // namespace strata::control
