#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "actors/runtime/io_jobs.hpp"
#include "core/check.hpp"

namespace strata::tests {

/// The jobs of a part of an actor: each runs, and its outcome is reported, when the test wants it, on the test's
/// thread. Jobs are numbered from the oldest that was not reported.
class held_jobs {
 public:
  held_jobs() = default;
  held_jobs(const held_jobs&) = delete;
  held_jobs& operator=(const held_jobs&) = delete;

  [[nodiscard]] actors::runtime::io_jobs jobs() {
    return actors::runtime::io_jobs(
        [this](std::string what, actors::runtime::io_jobs::work work, actors::runtime::io_jobs::done then) {
          held_.push_back({std::move(what), std::move(work), std::move(then), std::nullopt});
        });
  }

  [[nodiscard]] std::size_t count() const { return held_.size(); }
  [[nodiscard]] const std::string& name(std::size_t job = 0) const { return held_.at(job).what; }

  /// An exception becomes an error, as in actor_core::offload().
  void work(std::size_t job = 0) {
    auto& one = held_.at(job);
    core::check(!one.outcome, "a job runs once");
    try {
      one.outcome = one.work();
    } catch (const std::exception& thrown) {
      one.outcome = core::error{core::errc::io_error, std::string("internal error: ") + thrown.what()};
    }
    one.work = nullptr;
  }
  void report(std::size_t job = 0) {
    const held one = std::move(held_.at(job));
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(job));
    one.then(one.outcome.value());
  }
  void finish(std::size_t job = 0) {
    work(job);
    report(job);
  }
  /// With those that follow.
  void finish_all() {
    while (count() > 0) finish();
  }

 private:
  struct held {
    std::string what;
    actors::runtime::io_jobs::work work;
    actors::runtime::io_jobs::done then;
    std::optional<core::result<void>> outcome;
  };
  std::deque<held> held_;
};

}  // namespace strata::tests
