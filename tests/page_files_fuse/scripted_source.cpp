#include "tests/page_files_fuse/scripted_source.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace strata::tests {

scripted_source::scripted_source(contents with)
    : contents_(std::move(with)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void scripted_source::fetch(const page_files::page_range& range, receiver then) {
  ++fetches_;
  ++open_;
  pages_ += range.count;
  largest_ = std::max<std::uint32_t>(largest_, range.count);
  waiting_.push_back({range, std::move(then), clock::now() + std::chrono::microseconds(delay_us_)});
}

void scripted_source::hold(bool on) {
  held_ = on;
  wake();
}

void scripted_source::wake() const {
  const std::uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof one) < 0) return;
}

int scripted_source::run() {
  std::uint64_t count = 0;
  if (::read(wake_.get(), &count, sizeof count) < 0) count = 0;
  const auto ready = [&](const request& each) {
    const bool is_held = held_ && (held_relation_ == 0 || held_relation_ == each.range.relation.relation) &&
                         each.range.first >= held_from_;
    return !is_held && each.due <= clock::now();
  };
  while (true) {
    const auto next = std::ranges::find_if(waiting_, ready);
    if (next == waiting_.end()) break;
    const request answered = std::move(*next);
    waiting_.erase(next);
    --open_;
    if (fails_) {
      answered.then(core::error{core::errc::unavailable, "the script says so"});
      continue;
    }
    buffer_.clear();
    contents_(answered.range, buffer_);
    answered.then(core::bytes_view(buffer_));
  }
  if (waiting_.empty() || held_) return -1;
  const auto first = std::ranges::min_element(waiting_, {}, &request::due)->due;
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(first - clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void append_made_page(const pg::relation_fork& relation, pg::block_number block, core::bytes& to) {
  std::uint64_t seed = std::hash<pg::relation_fork>{}(relation) + (block + 1) * 0x9E3779B97F4A7C15u;
  const std::size_t from = to.size();
  to.resize(from + pg::page_size);
  for (std::size_t at = from; at < to.size(); at += sizeof seed) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    core::store_le(to.data() + at, seed | 1);
  }
}

}  // namespace strata::tests
