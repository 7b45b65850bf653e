#include "actors/compute/page_supply.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "host/program.hpp"
#include "page_files/control_file.hpp"

namespace strata::actors::compute {

page_supply::page_supply(runtime::socket_watcher& sockets, runtime::io_jobs jobs, context of)
    : jobs_(jobs),
      context_(std::move(of)),
      filler_(sockets, std::move(jobs),
              {.owner = context_.owner,
               .started = [this](const core::result<void>& how) { started(how); },
               .ended = [this] { ended(); },
               .note = context_.note}) {}

void page_supply::begin(std::shared_ptr<const page_files::guarded_directory> directory, core::lsn at) {
  directory_ = std::move(directory);
  at_ = at;
  fillers_ = 0;
  lease_due_ = {};
  lost_lease_.clear();
  if (!directory_) return context_.begun({});
  start();
}

std::vector<host::inherited_file> page_supply::inherited() const {
  if (!directory_) return {};
  std::vector<host::inherited_file> files{{directory_->control_file(), page_files::control_file_descriptor}};
  if (directory_->group() >= 0) files.push_back({directory_->group(), directory_->group()});
  return files;
}

void page_supply::start() {
  state_ = filler_state::starts;
  filler_.start(
      [starts = context_.start_filler, directory = directory_, at = at_, pid = pid_]() -> core::result<pid_t> {
        *pid = 0;
        STRATA_ASSIGN(*pid, starts(*directory, at));
        return *pid;
      });
}

void page_supply::started(const core::result<void>& how) {
  if (state_ == filler_state::ends) return;
  if (how) {
    state_ = filler_state::runs;
    if (fillers_++ == 0) context_.begun({});
    return;
  }
  if (fillers_ == 0) {
    state_ = filler_state::none;
    return context_.begun(how);
  }
  context_.note("start another filler of pages", how.error());
  pause(restart_pause);
}

void page_supply::ended() {
  if (when_ended_) {
    state_ = filler_state::none;
    return std::exchange(when_ended_, nullptr)();
  }
  if (needs_no_filler()) {
    state_ = filler_state::none;
    directory_->succeed_last_filler();
    return context_.all_present();
  }
  context_.note("fill in pages", {core::errc::io_error, "the filler, process " + std::to_string(*pid_) + ", ended"});
  if (!directory_->outlives_filler()) {
    state_ = filler_state::none;
    return context_.lost();
  }
  // The first successor at once: readers wait for it.
  pause(fillers_ == 1 ? std::chrono::milliseconds(0) : restart_pause);
}

void page_supply::pause(std::chrono::milliseconds length) {
  state_ = filler_state::pauses;
  context_.retry_after(length);
}

bool page_supply::needs_no_filler() const {
  return directory_ && directory_->outlives_filler() && directory_->progress().is_complete;
}

void page_supply::retry() {
  if (state_ == filler_state::pauses) start();
}

void page_supply::end(std::function<void()> then) {
  const bool is_mounted = directory_ && !directory_->outlives_filler();
  directory_ = nullptr;
  if (state_ == filler_state::none || state_ == filler_state::pauses) {
    state_ = filler_state::none;
    if (!is_mounted) return then();
    return jobs_.run("remove the mount", context_.remove_mount, [this, then](const core::result<void>& removed) {
      if (!removed) context_.note("remove the mount", removed.error());
      then();
    });
  }
  if (state_ == filler_state::ends) {
    when_ended_ = [first = std::move(when_ended_), then = std::move(then)] {
      first();
      then();
    };
    return;
  }
  state_ = filler_state::ends;
  when_ended_ = std::move(then);
  filler_.abandon([pid = pid_, is_mounted, remove_mount = context_.remove_mount]() -> core::result<void> {
    if (*pid > 0 && !host::wait_for_end(*pid, std::chrono::seconds(1))) {
      ::kill(*pid, SIGKILL);
      host::wait_for_end(*pid, std::chrono::seconds(10));
    }
    // Of one that was still starting nobody else knows.
    if (*pid > 0) ::waitpid(*pid, nullptr, WNOHANG);
    if (is_mounted) return remove_mount();
    return {};
  });
}

void page_supply::look(core::monotonic_time now) {
  look_at_filler();
  if (state_ == filler_state::none && needs_no_filler()) directory_->answer_late_accesses();
  renew_lease(now);
}

/// One that waits for a disk that does not answer would keep readers waiting for ever; one that somebody stopped goes
/// on.
void page_supply::look_at_filler() {
  if (state_ == filler_state::runs) continue_if_stopped();
  const std::uint32_t beats = state_ == filler_state::runs ? directory_->beats() : beats_ + 1;
  if (std::exchange(beats_, beats) != beats) silent_looks_ = 0;
  if (state_ != filler_state::runs || ++silent_looks_ < silent_looks_max) return;
  silent_looks_ = 0;
  context_.note("fill in pages", {core::errc::timeout, "the filler, process " + std::to_string(*pid_) + ", hangs"});
  // It is our child, so the number is its own until its end was noticed.
  ::kill(*pid_, SIGKILL);
}

void page_supply::continue_if_stopped() {
  siginfo_t how{};
  const auto process = static_cast<id_t>(*pid_);
  if (::waitid(P_PID, process, &how, WSTOPPED | WNOHANG) != 0 || how.si_pid == 0) return;
  context_.note("fill in pages",
                {core::errc::unavailable, "the filler, process " + std::to_string(*pid_) + ", was stopped by signal " +
                                              std::to_string(how.si_status) + " and is continued"});
  ::kill(*pid_, SIGCONT);
}

void page_supply::renew_lease(core::monotonic_time now) {
  if (!directory_ || now < lease_due_) return;
  // A directory that is complete needs no page any more. But the next one may begin at the same LSN.
  if (!context_.starts_at_same_lsn && directory_->progress().is_complete) return;
  lease_due_ = now + lease_interval_max;
  jobs_.run(
      "lease the LSN of the pages", [lease = context_.lease, at = at_] { return lease(at); },
      [this, now, at = at_](const core::result<std::chrono::milliseconds>& left) {
        if (!directory_ || at != at_) return;
        lost_lease_ =
            left || core::advice_for(left.error().code) == core::advice::retry_later ? "" : left.error().detail;
        lease_due_ = now + std::clamp((left ? *left : lease_interval_min) / 3, lease_interval_min, lease_interval_max);
        if (left) return lease_failures_.succeeded();
        if (lease_failures_.is_due(left.error().detail, now)) context_.note("lease the LSN of the pages", left.error());
      });
}

std::string page_supply::waits() const {
  if (!directory_) return "";
  const auto progress = directory_->progress();
  if (silent_looks_ >= silent_looks_told && progress.missing > 0)
    return "the filler of its pages, process " + std::to_string(*pid_) + ", does not work: queries may wait for it";
  if (lost_lease_.empty() || progress.missing == 0) return progress.waits;
  return "the pages that it does not have yet are no longer kept (" + lost_lease_ + "): stop it and start it again";
}

namespace {

host::agent_status::fill_work work_of(const page_files::fill_counts& of) {
  return {.accesses = of.accesses,
          .accesses_waited = of.accesses_waited,
          .accesses_denied = of.accesses_denied,
          .accesses_taken_over = of.accesses_taken_over,
          .pages_filled = of.pages_filled,
          .files_completed = of.files_completed,
          .fetches = of.fetches,
          .fetches_failed = of.fetches_failed,
          .waiting = of.waiting};
}

}  // namespace

const char* page_supply::filler_word() const {
  switch (state_) {
    case filler_state::none: return "none";
    case filler_state::starts: return fillers_ == 0 ? "starting" : "restarting";
    case filler_state::runs: return "running";
    case filler_state::pauses: return "restarting";
    case filler_state::ends: return "ending";
  }
  return "";
}

void page_supply::describe(host::agent_status& to) const {
  to.pages = {};
  if (!directory_) return;
  const auto now = directory_->progress();
  to.pages = {.total = now.pages,
              .missing = now.missing,
              .complete = now.is_complete,
              .waits = waits(),
              .fillers = fillers_,
              .filler = state_ == filler_state::runs ? *pid_ : 0,
              .filler_state = filler_word(),
              .work = work_of(now.counts)};
}

}  // namespace strata::actors::compute
