#include "page_files/filler.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <utility>

#include "core/log.hpp"
#include "page_files/background_fill.hpp"
#include "page_files/fanotify_door.hpp"
#include "page_files/fuse_door.hpp"
#include "page_files/mark_release.hpp"

namespace strata::page_files {
namespace {

using std::chrono::milliseconds;

/// While accesses wait, how often their processes are looked at.
constexpr milliseconds tick_interval{10};
/// How long the loop may stand still (page_map::beat), and a mount that was taken away go unnoticed.
constexpr milliseconds round_max{1000};

/// What the loop needs of a door.
struct door_calls {
  int fd = -1;
  std::function<core::result<void>()> on_readable;
  /// Before each round: how long it may wait for descriptors.
  std::function<milliseconds()> next;
  std::function<bool()> goes_on;
};

core::result<void> serve(const door_calls& door, page_client& client, page_map& map, const io::unique_fd& guard,
                         const core::clock& clock) {
  std::array<pollfd, 3> watched{pollfd{door.fd, POLLIN, 0}, pollfd{client.poll_fd(), POLLIN, 0},
                                pollfd{guard.get(), POLLIN, 0}};
  while (door.goes_on()) {
    map.beat();
    auto pause = door.next();
    if (const auto due = client.next_deadline())
      pause = std::clamp(std::chrono::ceil<milliseconds>(*due - clock.monotonic()), milliseconds(0), pause);
    if (::poll(watched.data(), watched.size(), static_cast<int>(pause.count())) < 0 && errno != EINTR)
      return core::from_errno("wait for events", errno);
    // Postgres ends with its guard. Those of its processes that wait for a page are ended by SIGKILL.
    if (watched[2].revents != 0) return {};
    if (watched[1].revents != 0) client.on_ready();
    client.on_time(clock.monotonic());
    if (watched[0].revents != 0) STRATA_TRY(door.on_readable());
    const auto waits = client.state();
    map.set_note(waits ? waits->text : "");
  }
  return {};
}

/// What the fillers before this one have counted, and what this one has.
class counter {
 public:
  explicit counter(page_map& map) : map_(map), before_(map.counts()) {}
  void add(const fanotify_door& door) {
    const auto& now = door.counted();
    map_.set_counts({.accesses = before_.accesses + now.events,
                     .accesses_waited = before_.accesses_waited + now.events_waited,
                     .accesses_denied = before_.accesses_denied + now.events_denied,
                     .accesses_taken_over = before_.accesses_taken_over + now.events_taken_over,
                     .pages_filled = before_.pages_filled + now.pages_filled,
                     .files_completed = before_.files_completed + now.files_completed,
                     .fetches = before_.fetches + now.fetches,
                     .fetches_failed = before_.fetches_failed + now.fetches_failed,
                     .waiting = door.waiting()});
  }
  // A mount is filled by one filler only.
  void set(const fuse_door& door) {
    const auto now = door.counts();
    map_.set_counts({.accesses_denied = now.cancelled,
                     .pages_filled = now.pages,
                     .fetches = now.fetches,
                     .fetches_failed = now.failed,
                     .waiting = now.waiting});
  }

 private:
  page_map& map_;
  fill_counts before_;
};

/// Its thread may wait for a page that nobody brings any more, and ends with the process.
void leave(const std::optional<background_fill>& rest, const core::result<void>& served) {
  if (!rest || rest->is_done()) return;
  if (!served) core::log_error("fill in pages: " + core::to_string(served.error()));
  core::flush_log();
  std::_Exit(served ? EXIT_SUCCESS : EXIT_FAILURE);
}

core::result<void> fill_native(filler_options& of, page_map& map, page_client& client, const io::unique_fd& guard,
                               const core::clock& clock) {
  STRATA_ASSIGN(const auto door,
                fanotify_door::make(fanotify_group(std::move(of.group)), map, client, {.directory = of.directory}));
  std::optional<background_fill> rest;
  if (of.fill)
    rest.emplace(map, fetch_by_reading(map, of.directory), background_fill::options{.directory = of.directory});
  mark_release marks(door->group(), map, of.directory);
  counter counts(map);
  const auto next = [&] {
    if (marks.is_under_way()) return milliseconds(0);
    if (door->waiting() == 0) return round_max;
    door->on_tick();
    return tick_interval;
  };
  const auto goes_on = [&] {
    counts.add(*door);
    const bool may_be_complete = map.missing() == 0 || (rest && rest->is_done());
    if (!may_be_complete || !marks.step() || !door->is_idle()) return true;
    map.set_complete();
    return false;
  };
  const auto served =
      serve({door->fd(), [&] { return door->on_readable(); }, next, goes_on}, client, map, guard, clock);
  leave(rest, served);
  return served;
}

core::result<void> fill_mount(const filler_options& of, page_map& map, page_client& client, const io::unique_fd& guard,
                              const core::clock& clock) {
  STRATA_ASSIGN(auto door,
                fuse_door::mount(
                    {.directory = of.directory, .mount_point = of.mount_point, .for_other_users = of.for_other_users},
                    map, client));
  std::optional<background_fill> rest;
  const auto fetch = [&door](std::uint32_t file, std::uint32_t first, std::uint32_t count) {
    return door->fetch(file, first, count);
  };
  if (of.fill) rest.emplace(map, fetch, background_fill::options{.directory = of.directory});
  counter counts(map);
  const auto run = [&]() -> core::result<void> {
    door->run();
    if (auto failed = door->failure()) return *std::move(failed);
    return {};
  };
  const auto goes_on = [&] {
    counts.set(*door);
    if (map.missing() == 0) map.set_complete();
    return door->is_mounted();
  };
  const auto served = serve({door->wake_fd(), run, [] { return round_max; }, goes_on}, client, map, guard, clock);
  // Every access fails when this process is gone. To detach the mount in order would wait for what Postgres still
  // writes, which nobody needs any more.
  leave(rest, served);
  [[maybe_unused]] const auto* left = door.release();
  return served;
}

}  // namespace

core::result<void> run_filler(filler_options of) {
  const io::unique_fd guard(static_cast<int>(::syscall(SYS_pidfd_open, of.guard, 0)));
  if (!guard || ::getppid() != of.guard)
    return core::error{core::errc::unavailable, "fill " + of.directory + ": its guard has ended"};
  STRATA_ASSIGN(auto map, page_map::open(std::move(of.map), true));
  const core::clock& clock = *of.pages.clock;
  STRATA_ASSIGN(const auto client, page_client::create(std::move(of.pages)));
  return of.group ? fill_native(of, map, *client, guard, clock) : fill_mount(of, map, *client, guard, clock);
}

}  // namespace strata::page_files
