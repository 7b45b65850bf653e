#include "page_files/filler.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "page_files/fanotify_door.hpp"

namespace strata::page_files {
namespace {

/// While accesses wait, how often their processes are looked at.
constexpr std::chrono::milliseconds tick_interval{10};

}  // namespace

core::result<void> run_filler(filler_options of) {
  const io::unique_fd guard(static_cast<int>(::syscall(SYS_pidfd_open, of.guard, 0)));
  if (!guard || ::getppid() != of.guard) return core::error{core::errc::unavailable, "fill " + of.directory + ": no guard"};
  STRATA_ASSIGN(auto map, page_map::open(std::move(of.map), true));
  const core::clock& clock = *of.pages.clock;
  STRATA_ASSIGN(const auto client, page_client::create(std::move(of.pages)));
  STRATA_ASSIGN(const auto door,
                fanotify_door::make(fanotify_group(std::move(of.group)), map, *client, {.directory = of.directory}));
  std::array<pollfd, 3> watched{pollfd{door->fd(), POLLIN, 0}, pollfd{client->poll_fd(), POLLIN, 0},
                                pollfd{guard.get(), POLLIN, 0}};
  for (;;) {
    std::chrono::milliseconds pause = door->waiting() > 0 ? tick_interval : std::chrono::milliseconds(-1);
    if (const auto due = client->next_deadline()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - clock.monotonic());
      const auto until = std::max(left, std::chrono::milliseconds(0));
      pause = pause.count() < 0 ? until : std::min(pause, until);
    }
    if (::poll(watched.data(), watched.size(), static_cast<int>(pause.count())) < 0 && errno != EINTR)
      return core::from_errno("wait for events", errno);
    // Postgres ends with its guard. Those of its processes that wait for a page are ended by SIGKILL.
    if (watched[2].revents != 0) return {};
    if (watched[1].revents != 0) client->on_ready();
    client->on_time(clock.monotonic());
    if (watched[0].revents != 0) STRATA_TRY(door->on_readable());
    if (door->waiting() > 0) door->on_tick();
    const auto waits = client->state();
    map.set_note(waits ? waits->text : "");
  }
}

}  // namespace strata::page_files
