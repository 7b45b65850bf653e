#include "page_files/page_client.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/check.hpp"
#include "page_files/page_channel.hpp"

namespace strata::page_files {
namespace {

// Many pages in flight hide the round trip; more would only wait at the server, which answers them one by one.
constexpr std::size_t small_in_flight_max = 64;
constexpr std::size_t large_in_flight_max = 8;

}  // namespace

core::result<std::unique_ptr<page_client>> page_client::create(page_client_options options) {
  io::unique_fd poller(::epoll_create1(EPOLL_CLOEXEC));
  if (!poller) return core::from_errno("create an epoll for the page service", errno);
  return std::unique_ptr<page_client>(new page_client(std::move(options), std::move(poller)));
}

page_client::page_client(page_client_options options, io::unique_fd poller)
    : options_(std::move(options)), poller_(std::move(poller)) {
  const auto channel = [&](std::uint32_t index, std::uint32_t pages_max, std::size_t in_flight_max) {
    channels_[index] = std::make_unique<page_channel>(options_, page_channel::limits{pages_max, in_flight_max},
                                                      page_channel::poll_entry{poller_.get(), index});
  };
  channel(0, small_pages_max, small_in_flight_max);
  channel(1, page_range::count_max, large_in_flight_max);
}

page_client::~page_client() = default;

void page_client::fetch(const page_range& range, receiver then) {
  core::check(range.count > 0 && range.count <= page_range::count_max, "a range has 1 to 128 pages");
  channels_[range.count <= small_pages_max ? 0 : 1]->add(range, std::move(then), options_.clock->monotonic());
}

void page_client::on_ready() {
  std::array<epoll_event, 2> ready{};
  const int count = ::epoll_wait(poller_.get(), ready.data(), static_cast<int>(ready.size()), 0);
  std::array<std::uint32_t, 2> events{};
  for (int i = 0; i < count; ++i)
    events[ready[static_cast<std::size_t>(i)].data.u32] = ready[static_cast<std::size_t>(i)].events;
  // The small ranges first; the large ones read one response at most in a call.
  for (std::size_t i = 0; i < channels_.size(); ++i)
    if (events[i] != 0) channels_[i]->on_ready(events[i], options_.clock->monotonic());
}

std::optional<core::monotonic_time> page_client::next_deadline() const {
  std::optional<core::monotonic_time> first;
  for (const auto& channel : channels_)
    if (const auto deadline = channel->next_deadline()) first = first ? std::min(*first, *deadline) : *deadline;
  return first;
}

void page_client::on_time(core::monotonic_time now) {
  for (const auto& channel : channels_) channel->on_time(now);
}

std::optional<page_service_wait> page_client::state() const {
  std::optional<page_service_wait> found;
  for (const auto& channel : channels_)
    if (auto wait = channel->wait(options_.clock->monotonic()); wait && (!found || wait->since < found->since))
      found = std::move(wait);
  return found;
}

}  // namespace strata::page_files
