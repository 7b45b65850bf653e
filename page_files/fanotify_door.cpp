#include "page_files/fanotify_door.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/check.hpp"
#include "core/log.hpp"
#include "page_files/page_toucher.hpp"
#include "page_files/waiting_process.hpp"

namespace strata::page_files {

namespace {

constexpr int numbers_max = fanotify_group::numbers_max;
constexpr std::size_t events_at_once = 16;
/// Processes whose status is read in one tick: 30 us each.
constexpr std::uint32_t looks_at_once = 16;
/// For new events while those of a predecessor wait, to whose files the new ones bring descriptors.
constexpr std::size_t slots_kept_free = page_map::taken_max - fanotify_door::events_max;
constexpr std::size_t free_after_taking_over_min = 8;
constexpr std::uint64_t page_bytes = pg::page_size;

core::result<void> limit_numbers() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return core::from_errno("read the limit of descriptors", errno);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_cur, numbers_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return core::from_errno("set the limit of descriptors", errno);
  return {};
}

core::result<void> watch(int poll, int fd) {
  epoll_event wanted{.events = EPOLLIN, .data = {.fd = fd}};
  if (::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &wanted) != 0) return core::from_errno("watch file accesses", errno);
  return {};
}

/// In pages, within one segment. What lies above is not of the page service.
taken_event in_pages(const access_event& event, std::uint32_t file) {
  constexpr std::uint64_t end_max = pg::blocks_per_relation_segment + 1;
  const std::uint64_t first = std::min(event.offset / page_bytes, end_max - 1);
  const std::uint64_t end = std::min((event.offset + event.length + page_bytes - 1) / page_bytes, end_max);
  return {.fd = event.fd,
          .process = event.process,
          .file = file,
          .first = static_cast<std::uint32_t>(first),
          .count = event.length == 0 ? 0 : static_cast<std::uint32_t>(std::max(end, first + 1) - first)};
}

}  // namespace

fanotify_door::fanotify_door(fanotify_group group, page_map& map, page_source& source, options with)
    : group_(std::move(group)), map_(map), source_(source), options_(std::move(with)), table_(map, options_.table) {
  free_.reserve(slots_.size());
  for (std::uint32_t slot = page_map::taken_max; slot-- > 0;) free_.push_back(slot);
}

fanotify_door::~fanotify_door() = default;

core::result<std::unique_ptr<fanotify_door>> fanotify_door::make(fanotify_group group, page_map& map,
                                                                 page_source& source, options with) {
  STRATA_TRY(limit_numbers());
  std::unique_ptr<fanotify_door> made(new fanotify_door(std::move(group), map, source, std::move(with)));
  made->poll_ = io::unique_fd(::epoll_create1(EPOLL_CLOEXEC));
  made->staging_ = io::unique_fd(::memfd_create("strata pages", MFD_CLOEXEC));
  if (!made->poll_ || !made->staging_) return core::from_errno("watch file accesses", errno);
  STRATA_ASSIGN(made->toucher_, page_toucher::make());
  STRATA_TRY(watch(made->poll_.get(), made->toucher_->fd()));
  STRATA_TRY(watch(made->poll_.get(), made->group_.fd()));
  made->listens_ = true;
  STRATA_TRY(made->take_over());
  return made;
}

core::result<void> fanotify_door::take_over() {
  if (map_.add_filler() == 0) return {};
  std::vector<bool> known(numbers_max);
  std::vector<std::uint32_t> files;
  for (std::uint32_t slot = 0; slot < page_map::taken_max; ++slot) {
    const auto event = map_.taken(slot);
    if (!event) continue;
    // A complete file raises no event that could bring a descriptor, and its accesses need none.
    if (map_.missing(event->file) == 0) {
      (void)group_.allow(event->fd);
      map_.clear_taken(slot);
      ++counts_.events_taken_over;
      continue;
    }
    // A number that this process uses could name a new event once it is closed, and the answer would meet the wrong
    // one. And without a free slot the event that brings a descriptor could not be taken.
    if (event->fd < 0 || event->fd >= numbers_max || known[event->fd] || ::fcntl(event->fd, F_GETFD) >= 0 ||
        free_.size() <= free_after_taking_over_min) {
      map_.clear_taken(slot);
      continue;
    }
    known[event->fd] = true;
    if (std::ranges::find(files, event->file) == files.end()) files.push_back(event->file);
    taken& to = slots_[slot];
    to = {.number = event->fd,
          .fd = {},
          .process = event->process,
          .file = event->file,
          .orphan = true,
          .since = options_.clock->monotonic()};
    // No new event may get the number before this one is answered.
    if (::dup3(staging_.get(), event->fd, O_CLOEXEC) < 0) return core::from_errno("keep a descriptor's number", errno);
    to.fd = io::unique_fd(event->fd);
    std::erase(free_, slot);
    ++orphans_;
    ++counts_.events_taken_over;
  }
  for (int number = 0; number < numbers_max; ++number)
    if (!known[number] && group_.deny(number, core::errc::busy)) ++counts_.events_denied;
  if (!files.empty()) toucher_->touch(options_.directory, map_, std::move(files));
  return {};
}

core::result<void> fanotify_door::on_readable() {
  deny_unreachable();
  std::array<access_event, events_at_once> events;
  std::array<std::optional<std::uint32_t>, events_at_once> taken;
  // So many and no more: the page source has its turn, too.
  for (std::size_t turn = 0; turn < events_max / events_at_once && room() > 0; ++turn) {
    STRATA_ASSIGN(const std::size_t count, group_.read(std::span(events).first(std::min(events.size(), room()))));
    if (count == 0) break;
    // First all into the map: what is not there when this process is killed can only be denied.
    for (std::size_t i = 0; i < count; ++i) taken[i] = take(events[i]);
    for (std::size_t i = 0; i < count; ++i)
      if (taken[i]) begin(*taken[i]);
    step();
  }
  listen(room() > 0);
  return {};
}

/// For new events.
std::size_t fanotify_door::room() const {
  const std::size_t kept = orphans_ > 0 ? 0 : slots_kept_free;
  return free_.size() > kept ? free_.size() - kept : 0;
}

// While no slot is free, events wait in the kernel, and a readable group would only keep the loop awake.
void fanotify_door::listen(bool to_events) {
  if (listens_ == to_events) return;
  epoll_event wanted{.events = to_events ? std::uint32_t{EPOLLIN} : 0, .data = {.fd = group_.fd()}};
  core::check(::epoll_ctl(poll_.get(), EPOLL_CTL_MOD, group_.fd(), &wanted) == 0, "the group is watched");
  listens_ = to_events;
}

/// Records an event; none if it is answered.
std::optional<std::uint32_t> fanotify_door::take(access_event event) {
  ++counts_.events;
  io::unique_fd fd(event.fd);
  struct stat found {};
  const auto file = ::fstat(event.fd, &found) == 0 ? map_.find({found.st_dev, found.st_ino}) : std::nullopt;
  if (file && event.length == 0 && event.process == ::getpid()) {
    (void)group_.allow(event.fd);
    if (opened(*file) == nullptr) files_.push_back({*file, std::move(fd)});
    serve_orphans(*file);
    return std::nullopt;
  }
  if (!file || (event.length == 0 && event.offset % page_bytes != 0 && event.offset < map_.limit(*file) * page_bytes)) {
    // Not a file of ours; or a cut within a page, after which half of a page would be the page service's.
    ++counts_.events_denied;
    (void)group_.deny(event.fd, core::errc::io_error);
    return std::nullopt;
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  map_.record_taken(slot, in_pages(event, *file));
  slots_[slot] = {.number = event.fd,
                  .fd = std::move(fd),
                  .process = event.process,
                  .file = *file,
                  .orphan = false,
                  .since = options_.clock->monotonic()};
  return slot;
}

void fanotify_door::begin(std::uint32_t slot) {
  const std::uint32_t file = slots_[slot].file;
  if (orphans_ > 0) {
    keep_open(slot);
    serve_orphans(file);
  }
  const std::size_t waiting = table_.waiting();
  raise(slot, *map_.taken(slot));
  if (table_.waiting() > waiting) ++counts_.events_waited;
  if (table_.uses(file)) keep_open(slot);
}

void fanotify_door::keep_open(std::uint32_t slot) {
  taken& of = slots_[slot];
  if (of.fd && opened(of.file) == nullptr) files_.push_back({of.file, std::move(of.fd)});
}

fanotify_door::open_file* fanotify_door::opened(std::uint32_t file) {
  const auto found = std::ranges::find(files_, file, &open_file::file);
  return found == files_.end() ? nullptr : &*found;
}

void fanotify_door::raise(std::uint32_t slot, const taken_event& event) {
  const open_file* file = opened(event.file);
  lower_limit(event.file, file != nullptr ? file->fd.get() : slots_[slot].number);
  if (event.count == 0) {
    table_.shrink(event.file, event.first, slot);
    return;
  }
  table_.want(event.file, event.first, event.count, slot);
  // What this process itself reads, it reads on purpose and at its own pace.
  const std::uint32_t end = std::min(map_.limit(event.file), map_.no_ahead_from(event.file));
  if (event.process == ::getpid() || event.first >= end || map_.missing(event.file) == 0) return;
  const auto ahead = pattern_.observe(event.file, event.first, std::min(event.count, end - event.first), end);
  if (ahead.count > 0) table_.want_ahead(event.file, ahead.first, ahead.count);
}

void fanotify_door::serve_orphans(std::uint32_t file) {
  for (std::uint32_t slot = 0; orphans_ > 0 && slot < page_map::taken_max; ++slot) {
    if (slots_[slot].number < 0 || !slots_[slot].orphan || slots_[slot].file != file) continue;
    slots_[slot].orphan = false;
    --orphans_;
    raise(slot, *map_.taken(slot));
  }
}

void fanotify_door::deny_unreachable() {
  for (const std::uint32_t file : toucher_->take_failed())
    for (std::uint32_t slot = 0; orphans_ > 0 && slot < page_map::taken_max; ++slot) {
      if (slots_[slot].number < 0 || !slots_[slot].orphan || slots_[slot].file != file) continue;
      --orphans_;
      answer(slot, core::errc::busy);
    }
}

void fanotify_door::lower_limit(std::uint32_t file, int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return;
  const std::uint64_t pages = (static_cast<std::uint64_t>(found.st_size) + page_bytes - 1) / page_bytes;
  table_.lower_limit(file, static_cast<std::uint32_t>(std::min<std::uint64_t>(pages, pg::blocks_per_relation_segment)));
  if (map_.missing(file) == 0) complete(fd);
}

void fanotify_door::complete(int fd) {
  // If this fails the file only stays as slow as it is.
  (void)group_.ignore(fd);
}

void fanotify_door::step() {
  bool decided = false;
  while (const auto next = table_.next_verdict()) {
    answer(next->of, next->denied);
    decided = true;
  }
  while (const auto next = table_.next_fetch()) {
    ++counts_.fetches;
    source_.fetch(map_.range(next->file, next->first, next->count),
                  [this, id = next->id](core::result<core::bytes_view> pages) { on_pages(id, std::move(pages)); });
  }
  if (decided) close_idle();
}

void fanotify_door::close_idle() {
  std::erase_if(files_, [this](const open_file& each) {
    if (table_.uses(each.file)) return false;
    // The number of a descriptor names an event until that is answered.
    return std::ranges::none_of(slots_, [&](const taken& slot) { return slot.number == each.fd.get(); });
  });
}

void fanotify_door::answer(std::uint32_t slot, std::optional<core::errc> denied) {
  taken& of = slots_[slot];
  if (denied) ++counts_.events_denied;
  // An event of a process that was killed meanwhile is gone.
  (void)(denied ? group_.deny(of.number, *denied) : group_.allow(of.number));
  map_.clear_taken(slot);
  of = {};
  free_.push_back(slot);
  listen(room() > 0);
}

void fanotify_door::on_pages(std::uint32_t fetch, core::result<core::bytes_view> pages) {
  const fill_table::fetch of = table_.fetch_of(fetch);
  const open_file* file = opened(of.file);
  core::check(file != nullptr, "a file that is being filled is open");
  if (!pages || pages->size() != of.count * page_bytes) {
    ++counts_.fetches_failed;
    log_failure(
        of, pages ? core::error{core::errc::corrupt, "the source has sent another number of pages"} : pages.error());
    table_.failed(fetch, core::errc::io_error);
  } else if (auto written = write_pages(file->fd.get(), of, *pages); !written) {
    ++counts_.fetches_failed;
    log_failure(of, written.error());
    table_.failed(fetch, written.error().code);
  } else {
    const std::uint32_t before = map_.missing(of.file);
    table_.filled(fetch);
    counts_.pages_filled += before - map_.missing(of.file);
    if (before > 0 && map_.missing(of.file) == 0) {
      complete(file->fd.get());
      ++counts_.files_completed;
    }
  }
  step();
  close_idle();
}

void fanotify_door::log_failure(const fill_table::fetch& of, const core::error& why) {
  if (const auto line = failure_log_.line(map_, of, why); !line.empty()) core::log_warning(line);
}

core::result<void> fanotify_door::write_pages(int fd, const fill_table::fetch& of, core::bytes_view pages) {
  // With the size as it is a moment before, so that what was cut off meanwhile is not even tried.
  if (!options_.table.without_drain) lower_limit(of.file, fd);
  const auto part = table_.writable(of.id);
  for (std::size_t done = 0; done < part.steady * page_bytes;) {
    const ssize_t bytes = ::pwrite(fd, pages.data() + done, part.steady * page_bytes - done,
                                   static_cast<off_t>(of.first * page_bytes + done));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return core::from_errno("fill a page", bytes < 0 ? errno : EIO);
    done += static_cast<std::size_t>(bytes);
  }
  if (part.count == part.steady) return {};
  const std::size_t from = part.steady * page_bytes;
  return write_into(fd, of.first * page_bytes + from, pages.subspan(from, part.count * page_bytes - from));
}

// A mapping ends where the file ends, at every moment: a write behind it is refused instead of lengthening the file.
// The kernel copies, so that the refusal is an error and not a signal.
core::result<void> fanotify_door::write_into(int fd, std::uint64_t at, core::bytes_view pages) {
  if (::pwrite(staging_.get(), pages.data(), pages.size(), 0) != static_cast<ssize_t>(pages.size()))
    return core::from_errno("stage a page", errno);
  void* mapped = ::mmap(nullptr, pages.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(at));
  if (mapped == MAP_FAILED) return core::from_errno("map a page", errno);
  const ssize_t bytes = ::pread(staging_.get(), mapped, pages.size(), 0);
  ::munmap(mapped, pages.size());
  if (bytes == static_cast<ssize_t>(pages.size())) return {};
  // What is behind the end now may stay away. Anything else that the kernel could not write had no space.
  struct stat found {};
  if (::fstat(fd, &found) != 0) return core::from_errno("fill a page", errno);
  const std::uint64_t written = at + static_cast<std::uint64_t>(std::max<ssize_t>(bytes, 0)) / page_bytes * page_bytes;
  if (static_cast<std::uint64_t>(found.st_size) <= written) return {};
  return core::error{core::errc::disk_full, "fill a page: the kernel refused it"};
}

void fanotify_door::on_tick() {
  const core::monotonic_time now = options_.clock->monotonic();
  std::uint32_t looks = 0;
  for (std::uint32_t i = 0; i < page_map::taken_max && looks < looks_at_once; ++i) {
    const std::uint32_t slot = look_ = (look_ + 1) % page_map::taken_max;
    const taken& each = slots_[slot];
    if (each.number < 0 || each.orphan || each.process == ::getpid() || now - each.since < options_.look_after)
      continue;
    ++looks;
    if (!wants_to_stop(each.process)) continue;
    table_.forget(slot);
    answer(slot, core::errc::io_error);
  }
  close_idle();
}

}  // namespace strata::page_files
