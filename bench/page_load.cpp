#include "bench/page_load.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "core/bytes.hpp"

namespace strata::bench {
namespace {

using clock = std::chrono::steady_clock;

void write_all(int fd, core::bytes_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written < 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("connect to port " + std::to_string(port) + ": " + std::strerror(errno));
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/// Reads backend messages until one with this tag.
void read_until(int fd, char wanted) {
  for (;;) {
    core::bytes head(5);
    for (std::size_t have = 0; have < head.size();) {
      const ssize_t got = ::recv(fd, head.data() + have, head.size() - have, 0);
      if (got <= 0) throw std::runtime_error("the server closed the connection during start-up");
      have += static_cast<std::size_t>(got);
    }
    core::bytes body(core::load_be<std::uint32_t>(head.data() + 1) - 4);
    for (std::size_t have = 0; have < body.size();) {
      const ssize_t got = ::recv(fd, body.data() + have, body.size() - have, 0);
      if (got <= 0) throw std::runtime_error("the server closed the connection during start-up");
      have += static_cast<std::size_t>(got);
    }
    if (head[0] == 'E') throw std::runtime_error("the server refused: " + std::string(body.begin(), body.end()));
    if (head[0] == wanted) return;
  }
}

void start_stream(int fd, const std::string& command) {
  core::bytes startup;
  const std::string parameters("user\0strata\0", 12);
  core::append_be(startup, static_cast<std::uint32_t>(8 + parameters.size() + 1));
  core::append_be<std::uint32_t>(startup, 3 << 16);
  startup.insert(startup.end(), parameters.begin(), parameters.end());
  startup.push_back(0);
  write_all(fd, startup);
  read_until(fd, 'Z');
  core::bytes query{'Q'};
  core::append_be(query, static_cast<std::uint32_t>(4 + command.size() + 1));
  query.insert(query.end(), command.begin(), command.end());
  query.push_back(0);
  write_all(fd, query);
  read_until(fd, 'W');
}

core::bytes make_request(const pg::relation_fork& relation, int version) {
  core::bytes request{'d', 0, 0, 0, static_cast<std::uint8_t>(version == 2 ? 38 : 46), 2};
  if (version > 2) core::append_be<std::uint64_t>(request, 1);
  core::append_be<std::uint64_t>(request, ~std::uint64_t{0});
  core::append_be<std::uint64_t>(request, 1);
  core::append_be(request, relation.tablespace);
  core::append_be(request, relation.database);
  core::append_be(request, relation.relation);
  request.push_back(static_cast<std::uint8_t>(relation.fork));
  core::append_be<std::uint32_t>(request, 0);
  return request;
}

class client_connection {
 public:
  client_connection(const page_target& target, std::uint64_t seed, bool sequential)
      : fd_(connect_to(target.port)),
        request_(make_request(target.relation, target.version)),
        blocks_(target.blocks),
        random_(seed),
        sequential_(sequential) {
    if (!target.command.empty()) start_stream(fd_, target.command);
  }
  ~client_connection() { ::close(fd_); }
  client_connection(const client_connection&) = delete;
  client_connection& operator=(const client_connection&) = delete;

  [[nodiscard]] int fd() const { return fd_; }

  void ask(int count) {
    core::bytes out;
    const auto now = clock::now();
    for (int i = 0; i < count; ++i) {
      const std::uint64_t next = sequential_ ? next_++ : random_();
      core::store_be(request_.data() + request_.size() - 4, static_cast<std::uint32_t>(next % blocks_));
      core::append(out, request_);
      asked_.push_back(now);
    }
    write_all(fd_, out);
  }

  /// Takes in what has arrived; how many responses that completed.
  int take(std::vector<float>& latencies_us, std::uint64_t& errors) {
    const ssize_t got = ::recv(fd_, buffer_.data() + have_, buffer_.size() - have_, 0);
    if (got <= 0) throw std::runtime_error("the server closed the connection");
    have_ += static_cast<std::size_t>(got);
    std::size_t used = 0;
    int complete = 0;
    const auto now = clock::now();
    while (have_ - used >= 6) {
      const std::size_t size = core::load_be<std::uint32_t>(buffer_.data() + used + 1) + std::size_t{1};
      if (size > buffer_.size()) throw std::runtime_error("a response of " + std::to_string(size) + " bytes");
      if (have_ - used < size) break;
      if (buffer_[used] != 'd' || buffer_[used + 5] != 102) ++errors;
      latencies_us.push_back(std::chrono::duration<float, std::micro>(now - asked_.front()).count());
      asked_.pop_front();
      used += size;
      ++complete;
    }
    std::memmove(buffer_.data(), buffer_.data() + used, have_ - used);
    have_ -= used;
    return complete;
  }

 private:
  int fd_;
  core::bytes request_;
  std::uint32_t blocks_;
  std::mt19937_64 random_;
  bool sequential_;
  std::uint64_t next_ = 0;
  std::deque<clock::time_point> asked_;
  core::bytes buffer_ = core::bytes(512u << 10);
  std::size_t have_ = 0;
};

double percentile(std::vector<float>& values, double share) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

load_result run_page_load(const page_target& target, const load_shape& shape) {
  std::vector<std::unique_ptr<client_connection>> connections;
  std::vector<pollfd> polled;
  for (int i = 0; i < shape.connections; ++i) {
    connections.push_back(
        std::make_unique<client_connection>(target, static_cast<std::uint64_t>(i) + 1, shape.sequential));
    polled.push_back({connections.back()->fd(), POLLIN, 0});
  }
  load_result result;
  std::vector<float> latencies_us;
  latencies_us.reserve(1 << 20);
  const auto begin = clock::now();
  const auto end = begin + shape.duration;
  for (auto& connection : connections) connection->ask(shape.in_flight);
  while (clock::now() < end) {
    if (::poll(polled.data(), polled.size(), 1000) <= 0) throw std::runtime_error("no response within a second");
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      const int complete = connections[i]->take(latencies_us, result.errors);
      if (complete > 0) connections[i]->ask(complete);
    }
  }
  const double seconds = std::chrono::duration<double>(clock::now() - begin).count();
  result.requests = latencies_us.size();
  result.requests_per_second = static_cast<double>(latencies_us.size()) / seconds;
  result.p50_us = percentile(latencies_us, 0.5);
  result.p99_us = percentile(latencies_us, 0.99);
  return result;
}

bare_page_server::bare_page_server() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("bare page server: no port");
  port_ = ntohs(address.sin_port);
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) throw std::runtime_error("bare page server: no pipe");
  stop_ = pipe_ends[1];
  thread_ = std::thread([this, wake = pipe_ends[0]] {
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    const auto watch = [&](int fd) {
      epoll_event event{EPOLLIN, {}};
      event.data.fd = fd;
      ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    };
    watch(listener_);
    watch(wake);
    core::bytes page_response{'d'};
    core::append_be<std::uint32_t>(page_response, 4 + 1 + pg::page_size);
    page_response.push_back(102);
    page_response.resize(page_response.size() + pg::page_size, 7);
    core::bytes input(64u << 10);
    core::bytes output;
    std::vector<epoll_event> events(64);
    for (bool running = true; running;) {
      const int ready = ::epoll_wait(poller, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == wake) {
          running = false;
        } else if (fd == listener_) {
          const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
          const int on = 1;
          ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          watch(client);
        } else {
          // Requests are 39 bytes and written whole by the client, so a read never cuts one.
          const ssize_t got = ::recv(fd, input.data(), input.size(), 0);
          if (got <= 0) {
            ::close(fd);
            continue;
          }
          output.clear();
          for (ssize_t left = got; left >= 39; left -= 39) core::append(output, page_response);
          try {
            write_all(fd, output);
          } catch (const std::runtime_error&) {
            ::close(fd);
          }
        }
      }
    }
    ::close(poller);
    ::close(wake);
  });
}

bare_page_server::~bare_page_server() {
  [[maybe_unused]] const ssize_t told = ::write(stop_, "x", 1);
  thread_.join();
  ::close(stop_);
  ::close(listener_);
}

}  // namespace strata::bench
