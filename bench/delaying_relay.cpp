#include "bench/delaying_relay.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <list>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bench/stopwatch.hpp"

namespace strata::bench {
namespace {

using steady = std::chrono::steady_clock;

/// A pipe holds some 64 KiB to 0.5 MiB: enough for what arrives at 1 GB/s during a delay of 10 ms.
constexpr std::size_t chunks_max = 64;
constexpr std::size_t splice_max = 1u << 20;

void demand(bool good, const char* doing) {
  if (!good) throw std::runtime_error(std::string(doing) + ": " + std::strerror(errno));
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

struct pipe_ends {
  io::unique_fd out, in;
  static pipe_ends make() {
    std::array<int, 2> ends{};
    demand(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0, "create a pipe");
    return {io::unique_fd(ends[0]), io::unique_fd(ends[1])};
  }
};

/// What came from the server at one moment, in a pipe of its own.
struct chunk {
  pipe_ends held;
  std::size_t bytes = 0;
  steady::time_point due;
};

class connection {
 public:
  connection(int client, std::uint16_t target_port) : client_(client), server_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const sockaddr_in address = loopback(target_port);
    demand(::connect(server_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
    const int on = 1;
    for (const int fd : {client_.get(), server_.get()}) {
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::fcntl(fd, F_SETFL, O_NONBLOCK);
    }
  }

  [[nodiscard]] pollfd client_poll() const {
    return {client_.get(), static_cast<short>(POLLIN | (is_blocked_ ? POLLOUT : 0)), 0};
  }
  [[nodiscard]] pollfd server_poll() const { return {chunks_.size() < chunks_max ? server_.get() : -1, POLLIN, 0}; }
  [[nodiscard]] std::optional<steady::time_point> due() const {
    if (chunks_.empty() || is_blocked_) return std::nullopt;
    return chunks_.front().due;
  }

  /// False when a side has closed.
  bool pass_requests() {
    std::array<char, 65536> bytes;
    const ssize_t got = ::recv(client_.get(), bytes.data(), bytes.size(), 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t part =
          ::send(server_.get(), bytes.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (part < 0 && errno != EAGAIN) return false;
      if (part < 0) {
        pollfd room{server_.get(), POLLOUT, 0};
        ::poll(&room, 1, -1);
      }
      sent += std::max<ssize_t>(part, 0);
    }
    return true;
  }

  bool take_answers(steady::time_point due) {
    chunk next{unused_.empty() ? pipe_ends::make() : std::move(unused_.back()), 0, due};
    if (!unused_.empty()) unused_.pop_back();
    const ssize_t got =
        ::splice(server_.get(), nullptr, next.held.in.get(), nullptr, splice_max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got <= 0) {
      unused_.push_back(std::move(next.held));
      return got < 0 && errno == EAGAIN;
    }
    next.bytes = static_cast<std::size_t>(got);
    chunks_.push_back(std::move(next));
    return true;
  }

  bool pass_answers(steady::time_point now) {
    is_blocked_ = false;
    while (!chunks_.empty() && chunks_.front().due <= now) {
      chunk& first = chunks_.front();
      const ssize_t sent = ::splice(first.held.out.get(), nullptr, client_.get(), nullptr, first.bytes,
                                    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      is_blocked_ = sent < 0 && errno == EAGAIN;
      if (is_blocked_) return true;
      if (sent <= 0) return false;
      first.bytes -= static_cast<std::size_t>(sent);
      if (first.bytes > 0) continue;
      unused_.push_back(std::move(first.held));
      chunks_.pop_front();
    }
    return true;
  }

 private:
  io::unique_fd client_, server_;
  std::deque<chunk> chunks_;
  std::vector<pipe_ends> unused_;
  bool is_blocked_ = false;  ///< the client's socket is full
};

timespec time_until(std::optional<steady::time_point> due) {
  const auto left = due ? std::max(*due - steady::now(), steady::duration(0)) : std::chrono::seconds(1);
  const auto nanoseconds = std::chrono::nanoseconds(left).count();
  return {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The file is whole at each moment: computes read it whenever they connect.
void replace(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path made = file.string() + ".bench";
  std::ofstream(made) << text;
  std::filesystem::rename(made, file);
}

}  // namespace

delaying_relay::delaying_relay(std::uint16_t target_port, std::chrono::microseconds delay)
    : target_port_(target_port),
      delay_(delay),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  demand(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
             ::listen(listener_.get(), 128) == 0 &&
             ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0,
         "listen");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

delaying_relay::~delaying_relay() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto told = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void delaying_relay::run() {
  // The kernel may wake others 50 us late.
  ::prctl(PR_SET_TIMERSLACK, 1);
  const cpu_stopwatch cpu;
  std::list<connection> connections;
  for (;;) {
    std::vector<pollfd> watched{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    std::optional<steady::time_point> due;
    for (const auto& each : connections) {
      watched.push_back(each.client_poll());
      watched.push_back(each.server_poll());
      if (each.due() && (!due || *each.due() < *due)) due = each.due();
    }
    const timespec left = time_until(due);
    ::ppoll(watched.data(), watched.size(), &left, nullptr);
    if (watched[1].revents != 0) return;
    const auto now = steady::now();
    std::size_t at = 2;
    std::erase_if(connections, [&](connection& each) {
      const bool asked = watched[at++].revents & (POLLIN | POLLHUP | POLLERR);
      const bool answered = watched[at++].revents != 0;
      return !((!asked || each.pass_requests()) && (!answered || each.take_answers(now + delay_)) &&
               each.pass_answers(now));
    });
    const int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) connections.emplace_back(client, target_port_);
    cpu_us_ = static_cast<std::uint64_t>(cpu.seconds() * 1e6);
  }
}

page_service_elsewhere::page_service_elsewhere(const tests::strata_server& of, std::uint16_t port)
    : file_(of.directory() / "server.json"), before_(text_of(file_)) {
  nlohmann::json changed = nlohmann::json::parse(before_);
  changed["page"] = "127.0.0.1:" + std::to_string(port);
  replace(file_, changed.dump() + "\n");
}

page_service_elsewhere::~page_service_elsewhere() { replace(file_, before_); }

}  // namespace strata::bench
