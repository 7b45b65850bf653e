#include "page_files/page_channel.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/sockets.hpp"

namespace strata::page_files {
namespace {

namespace wire = pg::wire;
using namespace std::chrono_literals;

/// A connection with requests in flight that was silent for so long is mentioned to people.
constexpr auto silence_to_mention = 1s;

/// A host that is gone says nothing; the kernel finds it out within this time.
void limit_silence(const io::unique_fd& socket) {
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(socket.get(), level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 5);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 15'000);
}

/// Errors of the server that a later request need not have.
bool may_pass(core::errc code) {
  return code == core::errc::busy || code == core::errc::unavailable || code == core::errc::timeout;
}

std::string describe(const wire::pagestream_request& request) {
  return "read " + std::to_string(request.count) + " blocks from " + std::to_string(request.block) + " of " +
         pg::to_string(request.relation);
}

std::string text_of(std::chrono::milliseconds time) {
  return time % 1s == 0ms ? std::to_string(time / 1s) + " s" : std::to_string(time / 1ms) + " ms";
}

}  // namespace

// -- the queue ------------------------------------------------------------------------------------------------------

void page_channel::add(const page_range& range, page_source::receiver then, core::monotonic_time now) {
  if (idle()) silent_since_ = now;
  // Now and then, so that a short queue does not allocate.
  if (head_ >= 64 && head_ >= queue_.size() / 2) drop_done();
  pending& made = queue_.emplace_back();
  made.request = {.kind = wire::request_kind::range,
                  .id = ++last_id_,
                  .request_lsn = options_.at,
                  .not_modified_since = options_.at,
                  .relation = range.relation,
                  .block = range.first,
                  .count = range.count};
  made.deadline = now + options_.answer_limit;
  made.then = std::move(then);
  if (!delivering_) settle(now);
}

void page_channel::drop_done() {
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
  head_ = 0;
}

page_channel::pending page_channel::take_front() {
  pending taken = std::move(front());
  if (++head_ == queue_.size()) drop_done();
  if (in_flight_ > 0) --in_flight_;
  return taken;
}

const page_channel::pending* page_channel::first_waiting() const {
  for (std::size_t i = head_; i < queue_.size(); ++i)
    if (queue_[i].then) return &queue_[i];
  return nullptr;
}

void page_channel::finish_front(core::result<core::bytes_view> outcome) {
  const pending done = take_front();
  if (done.then) done.then(std::move(outcome));
}

// -- the connection -------------------------------------------------------------------------------------------------

void page_channel::settle(core::monotonic_time now) {
  if (idle()) {
    retry_at_.reset();
    return;
  }
  if (!fd_ && !retry_at_) connect(now);
  if (fd_) send(now);
}

void page_channel::connect(core::monotonic_time now) {
  retry_at_.reset();
  open_by_ = now + options_.connect_limit;
  if (auto connected = try_connect(); !connected) lose(std::move(connected).error().detail, now);
}

core::result<void> page_channel::try_connect() {
  STRATA_ASSIGN(address_, options_.locate());
  STRATA_ASSIGN(fd_, io::begin_connect(address_->host, address_->port));
  limit_silence(fd_);
  connecting_ = true;
  watches_output_ = true;
  epoll_event event{EPOLLIN | EPOLLOUT, {}};
  event.data.u32 = poll_.number;
  if (::epoll_ctl(poll_.poller, EPOLL_CTL_ADD, fd_.get(), &event) != 0)
    return core::from_errno("watch a socket", errno);
  stream_ = std::make_unique<page_stream>(options_.tenant, options_.timeline, limits_.pages_max);
  return {};
}

void page_channel::lose(std::string why, core::monotonic_time now) {
  fd_ = {};  // which also ends the watch
  stream_.reset();
  in_flight_ = 0;
  drop_done();
  std::erase_if(queue_, [](const pending& each) { return !each.then; });
  reason_ = std::move(why);
  if (!idle()) retry_at_ = now + backoff_.next();
}

void page_channel::watch(bool output) {
  if (output == watches_output_) return;
  watches_output_ = output;
  epoll_event event{output ? EPOLLIN | EPOLLOUT : EPOLLIN, {}};
  event.data.u32 = poll_.number;
  ::epoll_ctl(poll_.poller, EPOLL_CTL_MOD, fd_.get(), &event);
}

void page_channel::send(core::monotonic_time now) {
  while (in_flight_ < std::min(queued(), limits_.in_flight_max)) {
    if (in_flight_ == 0) progress_ = now;
    stream_->ask(queue_[head_ + in_flight_++].request);
  }
  if (connecting_) return;
  while (!stream_->output().empty()) {
    const auto output = stream_->output();
    const ssize_t count = ::send(fd_.get(), output.data(), output.size(), MSG_NOSIGNAL);
    if (count > 0) {
      stream_->sent(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return lose(core::from_errno("send", errno).detail, now);
    }
  }
  watch(!stream_->output().empty());
}

// -- events ---------------------------------------------------------------------------------------------------------

void page_channel::on_ready(std::uint32_t events, core::monotonic_time now) {
  if (!fd_) return;
  if (connecting_) {
    int failure = 0;
    socklen_t size = sizeof failure;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure != 0)
      lose(core::from_errno("connect", failure).detail, now);
    else
      connecting_ = false;
  } else if ((events & ~std::uint32_t{EPOLLOUT}) != 0) {
    receive(now);
  }
  settle(now);
}

void page_channel::receive(core::monotonic_time now) {
  const auto room = stream_->room();
  const ssize_t got = ::recv(fd_.get(), room.data(), room.size(), 0);
  if (got > 0) {
    stream_->received(static_cast<std::size_t>(got));
    while (deliver(now)) continue;
  } else if (got == 0) {
    lose("the server closed the connection", now);
  } else if (errno != EAGAIN && errno != EINTR) {
    lose(core::from_errno("receive", errno).detail, now);
  }
}

bool page_channel::deliver(core::monotonic_time now) {
  auto answer = stream_->next();
  if (answer && !*answer) return false;
  if (answer) return take_answer(**answer, now);
  if (answer.error().code == core::errc::corrupt && stream_->opened())
    lose_damaged(std::move(answer).error(), now);
  else
    lose(std::move(answer).error().detail, now);
  return false;
}

bool page_channel::take_answer(core::bytes_view payload, core::monotonic_time now) {
  if (in_flight_ == 0) {
    lose("an answer without a request", now);
    return false;
  }
  auto response = wire::parse_range_response(payload, front().request);
  if (!response) {
    lose_damaged(std::move(response).error(), now);
    return false;
  }
  if (response->failure && may_pass(response->failure->code)) {
    lose(std::move(response->failure->detail), now);
    return false;
  }
  progress_ = silent_since_ = now;
  backoff_.reset();
  reason_.clear();
  delivering_ = true;
  if (response->failure)
    finish_front(*std::move(response->failure));
  else
    finish_front(response->pages);
  delivering_ = false;
  return true;
}

void page_channel::lose_damaged(core::error why, core::monotonic_time now) {
  if (in_flight_ == 0) return lose(std::move(why.detail), now);
  const bool again = std::exchange(front().was_damaged, true) && front().then;
  // A range that has got its timeout leaves with the connection.
  if (!again) return lose(std::move(why.detail), now);
  const pending done = take_front();
  lose(why.detail, now);
  delivering_ = true;
  done.then(core::error{core::errc::corrupt,
                        describe(done.request) + ": " + service_name() + " answered twice with damage: " + why.detail});
  delivering_ = false;
}

// -- time -----------------------------------------------------------------------------------------------------------

std::optional<core::monotonic_time> page_channel::next_deadline() const {
  if (idle()) return std::nullopt;
  std::optional<core::monotonic_time> first = retry_at_;
  const auto consider = [&](core::monotonic_time deadline) { first = first ? std::min(*first, deadline) : deadline; };
  if (const pending* waiting = first_waiting()) consider(waiting->deadline);
  if (fd_ && !stream_->opened()) consider(open_by_);
  if (fd_ && in_flight_ > 0) consider(progress_ + options_.answer_limit);
  return first;
}

void page_channel::on_time(core::monotonic_time now) {
  if (fd_ && !stream_->opened() && open_by_ <= now) {
    lose("no page stream within " + text_of(options_.connect_limit), now);
  } else if (fd_ && in_flight_ > 0 && progress_ + options_.answer_limit <= now) {
    // Its ranges were given up before, or are given up now, but those that still wait are better off elsewhere.
    lose("no answer within " + text_of(options_.answer_limit), now);
  }
  if (!idle()) expire(now);
  if (retry_at_ && *retry_at_ <= now) retry_at_.reset();
  settle(now);
}

void page_channel::expire(core::monotonic_time now) {
  delivering_ = true;
  // The first ones, for deadlines are in the order of the queue. A receiver may add to the end, and move the queue.
  std::size_t late = 0;
  for (; late < queued() && queue_[head_ + late].deadline <= now; ++late) {
    const wire::pagestream_request request = queue_[head_ + late].request;
    const page_source::receiver then = std::exchange(queue_[head_ + late].then, nullptr);
    if (then)
      then(core::error{core::errc::timeout, describe(request) + ": no answer of " + service_name() + " within " +
                                                text_of(options_.answer_limit) +
                                                (reason_.empty() ? "" : ": " + reason_)});
  }
  // A range in flight keeps its place until its answer has come.
  if (late > in_flight_) {
    const auto waiting = queue_.begin() + static_cast<std::ptrdiff_t>(head_);
    queue_.erase(waiting + static_cast<std::ptrdiff_t>(in_flight_), waiting + static_cast<std::ptrdiff_t>(late));
  }
  delivering_ = false;
}

std::string page_channel::service_name() const {
  return address_ ? "the page service at " + core::address_text(address_->host, address_->port) : "the page service";
}

std::optional<page_service_wait> page_channel::wait(core::monotonic_time now) const {
  if (first_waiting() == nullptr) return std::nullopt;
  const bool open = fd_ && stream_->opened();
  if (open && now - silent_since_ < silence_to_mention) return std::nullopt;
  std::string text = "waiting for " + service_name();
  if (open)
    text += ": it has not answered yet";
  else if (!reason_.empty())
    text += ": " + reason_;
  return page_service_wait{silent_since_, std::move(text)};
}

}  // namespace strata::page_files
