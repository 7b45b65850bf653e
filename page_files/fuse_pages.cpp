#include "page_files/fuse_pages.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "core/check.hpp"
#include "core/log.hpp"
#include "page_files/waiting_process.hpp"
#include "pg/types.hpp"

namespace strata::page_files {
namespace {

using namespace std::chrono_literals;

/// How often waiting processes are looked at, and how many at once.
constexpr auto tick_every = 20ms;
constexpr std::uint32_t watched_max = 64;
/// A read that fails is asked for again at once by the kernel, page by page. Within this time the answer is the same.
constexpr auto failure_lasts = 200ms;
/// A write can't fail for want of a page: Postgres has been told that it is done.
constexpr auto write_again_after = 500ms;

constexpr std::uint64_t page = pg::page_size;

struct page_span {
  std::uint32_t first;
  std::uint32_t end;
};

std::uint32_t page_number(std::uint64_t number) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(number, std::numeric_limits<std::uint32_t>::max()));
}

page_span pages_of(std::uint64_t offset, std::uint64_t size) {
  return {page_number(offset / page), page_number((offset + size + page - 1) / page)};
}

int write_all(int fd, core::bytes_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    if (done == 0) return EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return 0;
}

int errno_of(core::errc code) { return code == core::errc::disk_full ? ENOSPC : EIO; }

void clear(int fd) {
  std::uint64_t count = 0;
  while (::read(fd, &count, sizeof count) < 0 && errno == EINTR) continue;
}

void watch(int poll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  core::check(::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0, "watch a descriptor");
}

}  // namespace

fuse_pages::fuse_pages(page_map& map, page_source& source, fill_table::options with)
    : map_(map),
      source_(source),
      poll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      table_(map, with),
      waiting_(with.tickets_max) {
  core::check(poll_ && wake_ && timer_, "descriptors of a page door");
  watch(poll_.get(), wake_.get());
  watch(poll_.get(), timer_.get());
  for (fill_table::ticket each = with.tickets_max; each > 0; --each) free_tickets_.push_back(each - 1);
}

fuse_pages::~fuse_pages() {
  const auto end = [](waiting_access& each) { each.what.answer(EIO, {}); };
  for (auto& each : waiting_)
    if (each) end(*each);
  std::ranges::for_each(arrived_, end);
  std::ranges::for_each(later_, end);
}

bool fuse_pages::missing(std::uint32_t file, std::uint64_t offset, std::uint64_t size) const {
  const page_span pages = pages_of(offset, size);
  return map_.first_missing(file, pages.first, pages.end) != pages.end;
}

void fuse_pages::observe(std::uint32_t file, const content& in, std::uint64_t offset, std::uint64_t size) {
  const std::uint32_t limit = std::min(map_.limit(file), map_.no_ahead_from(file));
  const page_span pages = pages_of(offset, size);
  if (pages.first >= limit || pages.first >= pages.end) return;
  access_pattern::pages ahead;
  {
    const std::lock_guard lock(pattern_lock_);
    ahead = pattern_.observe(file, pages.first, pages.end - pages.first, limit);
  }
  if (ahead.count == 0) return;
  {
    const std::lock_guard lock(lock_);
    table_.want_ahead(file, ahead.first, ahead.count);
    open_[file] = in;
  }
  wake();
}

void fuse_pages::take(access what) {
  outcome taken{true, 0};
  {
    const std::lock_guard lock(lock_);
    switch (what.what) {
      case access::kind::write: taken = write(what); break;
      case access::kind::truncate: taken = truncate(what); break;
      case access::kind::read:
      case access::kind::fill:
        const page_span pages = pages_of(what.offset, what.size);
        wait({std::move(what), {}, {}, pages.first, pages.end - pages.first, clock::now()});
        break;
    }
  }
  if (taken.waits)
    wake();
  else
    what.answer(taken.failed, {});
}

/// Whatever fills a page as a whole is written at once, and the page will never be fetched. What fills a part of a
/// missing page waits for it: at most the first and the last.
fuse_pages::outcome fuse_pages::write(access& what) {
  const page_span pages = pages_of(what.offset, what.size);
  const std::uint64_t end = what.offset + what.size;
  const auto lacks = [&](std::uint32_t number) { return map_.first_missing(what.file, number, number + 1) == number; };
  const bool one_page = pages.end - pages.first == 1;
  const bool is_head = what.offset % page != 0 || (one_page && end % page != 0);
  const bool is_tail = end % page != 0 && !one_page;
  waiting_access rest;
  core::bytes_view body = what.bytes;
  std::uint64_t at = what.offset;
  if (is_head && lacks(pages.first)) {
    const auto head = body.first(std::min<std::size_t>(body.size(), page - what.offset % page));
    rest.head.assign(head.begin(), head.end());
    body = body.subspan(head.size());
    at += head.size();
  }
  if (is_tail && lacks(pages.end - 1)) {
    const auto tail = body.last(end % page);
    rest.tail.assign(tail.begin(), tail.end());
    body = body.first(body.size() - tail.size());
  }
  if (const int failed = write_all(what.in->get(), body, at)) return {false, failed};
  const std::uint32_t whole_first = pages.first + (is_head ? 1 : 0);
  const std::uint32_t whole_end = pages.end - (is_tail ? 1 : 0);
  if (whole_first < whole_end) table_.written(what.file, whole_first, whole_end - whole_first);
  if (rest.head.empty() && rest.tail.empty()) return {};
  rest.what = std::move(what);
  rest.what.bytes = {};
  rest.first = pages.first;
  rest.count = pages.end - pages.first;
  rest.since = clock::now();
  wait(std::move(rest));
  return {true, 0};
}

fuse_pages::outcome fuse_pages::truncate(access& what) {
  const page_span cut = pages_of(what.offset, 0);
  if (what.offset % page != 0 && map_.first_missing(what.file, cut.first, cut.first + 1) == cut.first) {
    // What stays of this page is still to come.
    wait({std::move(what), {}, {}, cut.first, 1, clock::now()});
    return {true, 0};
  }
  while (::ftruncate(what.in->get(), static_cast<off_t>(what.offset)) != 0)
    if (errno != EINTR) return {false, errno};
  table_.lower_limit(what.file, cut.end);
  return {};
}

void fuse_pages::wait(waiting_access what) { arrived_.push_back(std::move(what)); }

void fuse_pages::gone(std::uint32_t file) {
  const std::lock_guard lock(lock_);
  table_.lower_limit(file, 0);
  open_.erase(file);
}

fuse_pages::counters fuse_pages::counts() const {
  const std::lock_guard lock(lock_);
  counters now = counts_;
  now.waiting = table_.waiting() + arrived_.size() + later_.size();
  return now;
}

void fuse_pages::wake() const {
  const std::uint64_t one = 1;
  while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) continue;
}

void fuse_pages::run() {
  clear(wake_.get());
  std::uint64_t ticks = 0;
  if (::read(timer_.get(), &ticks, sizeof ticks) > 0) tick();
  pump();
}

void fuse_pages::tick() {
  cancel_some();
  const std::lock_guard lock(lock_);
  if (clock::now() >= retry_at_) {
    std::ranges::move(later_, std::back_inserter(arrived_));
    later_.clear();
  }
  if (!arrived_.empty() || !later_.empty() || free_tickets_.size() < waiting_.size()) return;
  const itimerspec never{};
  ::timerfd_settime(timer_.get(), 0, &never, nullptr);
  is_ticking_ = false;
}

void fuse_pages::cancel_some() {
  const auto now = clock::now();
  std::uint32_t left = watched_max;
  for (std::uint32_t i = 0; i < waiting_.size() && left > 0; ++i) {
    next_watched_ = (next_watched_ + 1) % static_cast<std::uint32_t>(waiting_.size());
    std::optional<waiting_access>& each = waiting_[next_watched_];
    if (!each || each->what.process <= 0 || each->what.what == access::kind::write) continue;
    if (now - each->since < tick_every) continue;
    --left;
    if (!wants_to_stop(each->what.process)) continue;
    const waiting_access cancelled = std::move(*each);
    each.reset();
    {
      const std::lock_guard lock(lock_);
      table_.forget(next_watched_);
      free_tickets_.push_back(next_watched_);
      ++counts_.cancelled;
    }
    cancelled_process_ = cancelled.what.process;
    cancelled.what.answer(EIO, {});
  }
}

void fuse_pages::admit(waiting_access of) {
  const bool is_read = of.what.what == access::kind::read;
  const auto same = [&](const failure& each) {
    return each.file == of.what.file && each.first < of.first + of.count && of.first < each.end &&
           each.at + failure_lasts > of.since;
  };
  if (is_read && missing(of.what.file, of.what.offset, of.what.size))
    if (const auto found = std::ranges::find_if(failures_, same); found != failures_.end()) {
      decided_.push_back({std::move(of), found->why, false});
      return;
    }
  // The kernel has asked once more for what was just cancelled.
  if (is_read && of.what.process != 0 && of.what.process == cancelled_process_ && wants_to_stop(cancelled_process_)) {
    ++counts_.cancelled;
    decided_.push_back({std::move(of), core::errc::unavailable, false});
    return;
  }
  const fill_table::ticket ticket = free_tickets_.back();
  free_tickets_.pop_back();
  table_.want(of.what.file, of.first, of.count, ticket);
  waiting_[ticket] = std::move(of);
}

fuse_pages::content fuse_pages::content_of(std::uint32_t file) const {
  if (const auto ahead = open_.find(file); ahead != open_.end())
    if (content open = ahead->second.lock()) return open;
  for (const auto& each : waiting_)
    if (each && each->what.file == file) return each->what.in;
  return {};
}

/// Until nothing changes any more. A source may call back while it is asked for more.
void fuse_pages::pump() {
  again_ = true;
  if (std::exchange(pumping_, true)) return;
  while (std::exchange(again_, false)) {
    {
      const std::lock_guard lock(lock_);
      while (!arrived_.empty() && !free_tickets_.empty()) {
        admit(std::move(arrived_.front()));
        arrived_.pop_front();
      }
      while (const auto verdict = table_.next_verdict()) {
        decided_.push_back({std::move(*waiting_[verdict->of]), verdict->denied, true});
        waiting_[verdict->of].reset();
        free_tickets_.push_back(verdict->of);
        again_ = true;
      }
      while (const auto next = table_.next_fetch()) {
        content in = content_of(next->file);
        if (!in) {
          // Closed meanwhile; it was to be fetched ahead.
          table_.failed(next->id, core::errc::unavailable);
          again_ = true;
          continue;
        }
        ++counts_.fetches;
        started_.push_back({*next, std::move(in)});
      }
      if (!is_ticking_ && free_tickets_.size() < waiting_.size()) {
        constexpr long ns = std::chrono::nanoseconds(tick_every).count();
        const itimerspec often{{0, ns}, {0, ns}};
        ::timerfd_settime(timer_.get(), 0, &often, nullptr);
        is_ticking_ = true;
      }
    }
    std::vector<started> to_start = std::exchange(started_, {});
    for (started& each : to_start) {
      const page_range range = map_.range(each.what.file, each.what.first, each.what.count);
      source_.fetch(
          range, [this, each = std::move(each), alive = std::weak_ptr(alive_)](core::result<core::bytes_view> pages) {
            if (!alive.expired()) finish(each, pages);
          });
    }
    std::vector<decided> to_resume = std::exchange(decided_, {});
    for (decided& each : to_resume) resume(std::move(each));
  }
  pumping_ = false;
}

void fuse_pages::finish(const started& of, const core::result<core::bytes_view>& pages) {
  std::optional<core::error> failed;
  if (!pages)
    failed = pages.error();
  else if (pages->size() != of.what.count * page)
    failed = core::error{core::errc::corrupt, "the source has sent another number of pages"};
  {
    const std::lock_guard lock(lock_);
    if (!failed)
      if (const int why = fill(of.what, *of.in, *pages)) failed = core::from_errno("write pages", why);
    if (failed) {
      ++counts_.failed;
      table_.failed(of.what.id, failed->code);
    } else {
      counts_.pages += of.what.count;
      table_.filled(of.what.id);
    }
  }
  if (failed)
    if (const auto line = failure_log_.line(map_, of.what, *failed); !line.empty()) core::log_warning(line);
  pump();
}

int fuse_pages::fill(const fill_table::fetch& what, const io::unique_fd& in, core::bytes_view pages) {
  const std::uint32_t end = what.first + table_.writable(what.id).count;
  for (std::uint32_t first = map_.first_missing(what.file, what.first, end); first < end;) {
    std::uint32_t last = first + 1;
    while (last < end && !map_.present(what.file, last)) ++last;
    const auto run = pages.subspan((first - what.first) * page, (last - first) * page);
    if (const int failed = write_all(in.get(), run, first * page)) return failed;
    first = map_.first_missing(what.file, last, end);
  }
  return 0;
}

void fuse_pages::resume(decided of) {
  access& what = of.of.what;
  if (of.denied && what.what == access::kind::write) {
    const std::lock_guard lock(lock_);
    retry_at_ = clock::now() + write_again_after;
    later_.push_back(std::move(of.of));
    return;
  }
  if (of.denied) {
    if (of.is_new_failure)
      failures_[next_failure_++ % failures_.size()] = {what.file, of.of.first, of.of.first + of.of.count, clock::now(),
                                                       *of.denied};
    what.answer(errno_of(*of.denied), {});
    return;
  }
  outcome done;
  switch (what.what) {
    case access::kind::read: read_file(what); return;
    case access::kind::fill: break;
    case access::kind::write: {
      const std::lock_guard lock(lock_);
      done.failed = write_all(what.in->get(), of.of.head, what.offset);
      if (done.failed == 0)
        done.failed = write_all(what.in->get(), of.of.tail, what.offset + what.size - of.of.tail.size());
      break;
    }
    case access::kind::truncate: {
      const std::lock_guard lock(lock_);
      done = truncate(what);
      again_ = again_ || done.waits;
      break;
    }
  }
  if (!done.waits) what.answer(done.failed, {});
}

void fuse_pages::read_file(const access& what) {
  if (buffer_.size() < what.size) buffer_.resize(what.size);
  std::size_t bytes = 0;
  while (bytes < what.size) {
    const ssize_t done =
        ::pread(what.in->get(), buffer_.data() + bytes, what.size - bytes, static_cast<off_t>(what.offset + bytes));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      what.answer(errno, {});
      return;
    }
    if (done == 0) break;
    bytes += static_cast<std::size_t>(done);
  }
  what.answer(0, core::bytes_view(buffer_).first(bytes));
}

}  // namespace strata::page_files
