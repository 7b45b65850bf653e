#include "api/http_front.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <system_error>

#include "api/errors.hpp"
#include "core/log.hpp"

namespace strata::api {
namespace {

constexpr std::uint64_t wake_number = 0;
constexpr std::uint64_t listener_number = 1;
constexpr std::uint64_t first_client = 2;
constexpr int clock_tick_ms = 100;
constexpr std::chrono::seconds wind_up_limit{5};

core::monotonic_time now() { return std::chrono::steady_clock::now(); }

std::string text_of(const sockaddr_storage& address, socklen_t size) {
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0)
    return "?";
  return text.data();
}

const core::error stopping{core::errc::unavailable, "the server is stopping"};

reply full(const std::string& message) { return error_reply({core::errc::busy, message}); }

}  // namespace

struct http_front::client {
  client(std::uint64_t its_number, int socket, std::string its_peer, const http_limits& limits, body_budget& bodies)
      : number(its_number), fd(socket), peer(std::move(its_peer)), state(limits, bodies, now()) {}
  ~client() { ::close(fd); }
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  const std::uint64_t number;
  const int fd;
  const std::string peer;
  http_connection state;
  std::uint32_t watched = 0;
  std::string group;               ///< of its last request
  bool exporting = false;          ///< counts as a stream
  std::function<void()> end_wait;  ///< set: its answer is waited for
  bool part_asked = false;         ///< a part of its stream is being made
  bool shut = false;               ///< our side of the socket is
};

/// Where those that make answers put them, from any thread.
struct http_front::mailbox {
  explicit mailbox(int eventfd) : wake_fd(eventfd) {}
  ~mailbox() { ::close(wake_fd); }
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd, &one, sizeof one);
  }
  void tell(news what) {
    {
      const std::lock_guard lock(mutex);
      arrived.push_back(std::move(what));
    }
    wake();
  }
  std::vector<news> take() {
    const std::lock_guard lock(mutex);
    return std::exchange(arrived, {});
  }

  const int wake_fd;
  std::mutex mutex;
  std::vector<news> arrived;
};

http_front::http_front(front_options options, answerer answer)
    : options_(std::move(options)),
      answer_(std::move(answer)),
      lanes_(options_.lanes),
      listener_(options_.listener),
      numbered_(first_client),
      streams_(options_.streams_max),
      waits_(std::max<std::size_t>(1, options_.connections_max / 2)) {}

http_front::~http_front() { stop(); }

void http_front::start() {
  const auto opened = [](int fd, const char* what) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
    return fd;
  };
  epoll_ = opened(::epoll_create1(EPOLL_CLOEXEC), "create epoll");
  mailbox_ = std::make_shared<mailbox>(opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "create eventfd"));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = wake_number}};
  opened(::epoll_ctl(epoll_, EPOLL_CTL_ADD, mailbox_->wake_fd, &event), "watch eventfd");
  event = {.events = EPOLLIN, .data = {.u64 = listener_number}};
  opened(::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event), "watch a listening socket");
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "http");
    run();
  });
}

void http_front::stop() {
  ending_ = true;
  if (thread_.joinable()) {
    mailbox_->wake();
    thread_.join();
  }
  lanes_.stop();
  for (const auto& [number, each] : clients_) release(*each);
  clients_.clear();
  for (int* fd : {&listener_, &epoll_})
    if (*fd >= 0) ::close(std::exchange(*fd, -1));
}

void http_front::run() {
  auto looked_at = now();
  for (;;) {
    std::array<epoll_event, 64> events;
    const bool clocked = !clients_.empty() || !accepting_ || ending_;
    const int count =
        ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), clocked ? clock_tick_ms : -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == wake_number) {
        std::uint64_t woken = 0;
        [[maybe_unused]] const auto read = ::read(mailbox_->wake_fd, &woken, sizeof woken);
      } else if (event.data.u64 == listener_number) {
        accept_all();
      } else if (const auto found = clients_.find(event.data.u64); found != clients_.end()) {
        client& from = *found->second;
        if (from.state.wants_input())
          hear(from);
        else if ((event.events & (EPOLLHUP | EPOLLERR)) != 0 || (from.end_wait && (event.events & EPOLLRDHUP) != 0))
          from.state.break_off();
        advance(from);
      }
    }
    handle_news();
    const auto time = now();
    if (time - looked_at >= std::chrono::milliseconds(clock_tick_ms)) {
      looked_at = time;
      for (const auto& [number, each] : clients_) {
        each->state.look_at_clock(time);
        advance(*each);
      }
      if (!accepting_ && !ending_ && time >= accept_again_) accept_all();
    }
    if (ending_ && wind_up(time)) return;
    close_ended();
  }
}

void http_front::accept_all() {
  const auto listen_for = [this](bool more) {
    epoll_event event{.events = more ? std::uint32_t{EPOLLIN} : 0u, .data = {.u64 = listener_number}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_, &event);
    accepting_ = more;
  };
  for (;;) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      welcome(fd, text_of(peer, size));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    if (errno == EAGAIN) {
      if (!accepting_) listen_for(true);
      return;
    }
    // Out of descriptors: clients wait in the kernel's queue until one is free, which takes a moment.
    core::log_warning("http: " + core::from_errno("accept a client", errno).detail);
    make_room("");
    accept_again_ = now() + std::chrono::milliseconds(clock_tick_ms);
    return listen_for(false);
  }
}

/// Drops a connection for a client from `newcomer` (empty: any address). False: none can be dropped.
bool http_front::make_room(const std::string& newcomer) {
  const core::seat_limits limits{newcomer.empty() ? 0 : options_.connections_max,
                                 std::max<std::size_t>(1, options_.connections_max / 4 * 3)};
  if (clients_.size() < std::min(limits.total, limits.per_peer)) return true;
  std::vector<core::seat> seats;
  seats.reserve(clients_.size());
  const auto time = now();
  for (const auto& [number, each] : clients_)
    seats.push_back({number, each->peer, each->state.use(time), each->state.since()});
  const core::admission made = core::admit(seats, newcomer, limits);
  if (!made.drop) return made.admitted;
  const auto found = clients_.find(*made.drop);
  release(*found->second);
  clients_.erase(found);
  return true;
}

void http_front::welcome(int fd, std::string peer) {
  if (!make_room(peer)) {
    const std::string text = answer_text(full("all " + std::to_string(options_.connections_max) +
                                              " connections of this port have requests in progress"));
    [[maybe_unused]] const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::close(fd);
    return;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const std::uint64_t number = numbered_++;
  auto made = std::make_unique<client>(number, fd, std::move(peer), options_.limits, bodies_);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = number}};
  made->watched = EPOLLIN;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) clients_.emplace(number, std::move(made));
}

void http_front::hear(client& from) {
  std::array<char, 16384> bytes;
  const ssize_t got = ::recv(from.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got > 0)
    from.state.take_in({bytes.data(), static_cast<std::size_t>(got)}, now());
  else if (got == 0)
    from.state.input_ended();
  else if (errno != EAGAIN && errno != EINTR)
    from.state.break_off();
}

void http_front::flush(client& to) {
  while (!to.state.output().empty()) {
    const std::string_view output = to.state.output();
    const ssize_t sent = ::send(to.fd, output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
      to.state.sent(static_cast<std::size_t>(sent), now());
    else if (errno == EAGAIN)
      return;
    else if (errno != EINTR)
      return to.state.break_off();
  }
}

/// Does what can be done for a client now, and waits for what has to come next.
void http_front::advance(client& of) {
  using enum http_connection::phase;
  for (;;) {
    flush(of);
    if (of.state.now_in() == closed || !of.state.output().empty()) break;
    if (auto request = of.state.take_request(now()))
      hand_over(of, *std::move(request));
    else if (of.state.output().empty())
      break;
  }
  if (of.state.wants_part() && !of.part_asked) ask_for_part(of);
  if (!of.state.stream() && of.state.now_in() != serving) release_stream(of);
  if (of.state.now_in() == draining && !std::exchange(of.shut, true)) ::shutdown(of.fd, SHUT_WR);
  if (of.state.now_in() != closed) watch(of);
}

void http_front::watch(client& of) {
  std::uint32_t wanted = 0;
  if (of.state.wants_input()) wanted |= EPOLLIN;
  if (!of.state.output().empty()) wanted |= EPOLLOUT;
  if (of.end_wait) wanted |= EPOLLRDHUP;
  if (wanted == of.watched) return;
  of.watched = wanted;
  epoll_event event{.events = wanted, .data = {.u64 = of.number}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, of.fd, &event);
}

void http_front::hand_over(client& of, raw_request request) {
  const lane in = lane_of(request.method, request.path);
  release_stream(of);  // of the request before
  of.group = group_of(in, request.path, request.body());
  const auto refuse = [&](const std::string& why) { of.state.answer({answer_text(full(why)), true, nullptr}, now()); };
  if (in == lane::export_start) {
    if (!streams_.take(of.group))
      return refuse("no more than " + std::to_string(streams_.places()) + " exports run at once, of one tenant " +
                    std::to_string(streams_.group_max()) + "; try again when one of them has ended");
    of.exporting = true;
  }
  const bool taken = lanes_.push(
      in, of.group, [this, number = of.number, shared = std::make_shared<const raw_request>(std::move(request))] {
        mailbox_->tell({number, answer_(*shared), std::nullopt});
      });
  if (!taken) refuse("too many requests of this kind are in progress");
}

void http_front::ask_for_part(client& of) {
  of.part_asked = true;
  const bool taken = lanes_.push(lane::export_parts, of.group, [this, number = of.number, source = of.state.stream()] {
    mailbox_->tell({number, {}, (*source)()});
  });
  if (!taken) of.state.break_off();
}

void http_front::begin_wait(client& of, raw_response pending) {
  const auto refuse = [&](const core::error& why) {
    of.state.answer({answer_text(error_reply(why), pending.close), pending.close}, now());
  };
  if (ending_) return refuse(stopping);
  if (!waits_.take(of.group))
    return refuse({core::errc::busy, "no more than " + std::to_string(waits_.places()) +
                                         " requests may wait for an answer at once, about one tenant " +
                                         std::to_string(waits_.group_max())});
  of.end_wait = pending.later([to = mailbox_, number = of.number](raw_response answer) {
    to->tell({number, std::move(answer), std::nullopt});
  });
}

void http_front::release_wait(client& of) {
  if (!of.end_wait) return;
  std::exchange(of.end_wait, nullptr)();
  waits_.give_back(of.group);
}

void http_front::release_stream(client& of) {
  if (std::exchange(of.exporting, false)) streams_.give_back(of.group);
}

void http_front::release(client& of) {
  release_wait(of);
  release_stream(of);
}

void http_front::handle_news() {
  for (news& each : mailbox_->take()) {
    const auto found = clients_.find(each.number);
    if (found == clients_.end()) continue;
    client& of = *found->second;
    if (of.state.now_in() != http_connection::phase::serving) continue;
    if (each.part) {
      of.part_asked = false;
      of.state.add_part(*each.part, now());
    } else if (each.answer.later) {
      begin_wait(of, std::move(each.answer));
    } else {
      release_wait(of);
      of.state.answer(std::move(each.answer), now());
    }
    advance(of);
  }
}

void http_front::close_ended() {
  std::erase_if(clients_, [this](const auto& entry) {
    if (entry.second->state.now_in() != http_connection::phase::closed) return false;
    release(*entry.second);
    return true;
  });
}

bool http_front::wind_up(core::monotonic_time time) {
  if (listener_ >= 0) {
    ::close(std::exchange(listener_, -1));
    ended_at_ = time;
  }
  const bool overdue = time - ended_at_ > wind_up_limit;
  for (const auto& [number, each] : clients_) {
    if (each->end_wait) {
      release_wait(*each);
      each->state.answer({answer_text(error_reply(stopping)), true}, time);
      advance(*each);
    }
    const auto phase = each->state.now_in();
    const bool answering = phase == http_connection::phase::serving && !each->state.stream();
    const bool answered = phase == http_connection::phase::sending && !each->state.stream() && !overdue;
    if (!answering && !answered) each->state.break_off();
  }
  close_ended();
  return clients_.empty();
}

}  // namespace strata::api
