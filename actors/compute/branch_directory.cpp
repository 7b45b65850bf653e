#include "actors/compute/branch_directory.hpp"

#include <filesystem>
#include <utility>

#include "host/postgres_process.hpp"

namespace strata::actors::compute {
namespace {

using host::page_mode;
using context = branch_directory::context;

/// Never used again, and perhaps still served by a Postgres that a killed agent has left.
core::result<void> clear(const context& of) {
  STRATA_TRY(host::abandon_postgres(of.path));
  of.before_removal();
  STRATA_TRY(of.remove_mount(of.path));
  for (const auto& each : {of.path, host::files_behind(of.path)}) {
    std::error_code failure;
    std::filesystem::remove_all(each, failure);
    if (failure) return core::from_errno("remove " + each, failure.value());
  }
  return {};
}

}  // namespace

void branch_directory::prepare(core::monotonic_time now) {
  if (context_.pages == page_mode::copy || preparing_ || (ready_ && now < ready_until_)) return;
  preparing_ = true;
  ready_.reset();
  jobs_.run(
      "prepare the data directory",
      [of = context_, bytes = bytes_]() -> core::result<prepared> {
        STRATA_TRY(clear(of));
        STRATA_ASSIGN(const core::lsn at, of.last_record_lsn());
        // What is listed must be readable as long as it takes to read it.
        STRATA_ASSIGN(const auto readable_for, of.lease(at));
        STRATA_ASSIGN(auto made, of.restore_guarded(at, of.path, [bytes](std::uint64_t now) { *bytes = now; }));
        return prepared{at, std::move(made), readable_for};
      },
      [this, now](core::result<prepared> outcome) { on_prepared(std::move(outcome), now); });
}

void branch_directory::on_prepared(core::result<prepared> outcome, core::monotonic_time begun) {
  preparing_ = false;
  if (outcome) {
    ready_ = *std::move(outcome);
    ready_until_ = begun + ready_->readable_for / 2;
  }
  if (auto next = std::exchange(waiting_, std::nullopt)) create(next->at, next->now, std::move(next->done));
}

void branch_directory::create(core::lsn at, core::monotonic_time now, then done) {
  if (preparing_) {
    waiting_ = order{at, now, std::move(done)};
    return;
  }
  if (auto ready = std::exchange(ready_, std::nullopt); ready && ready->at == at && now < ready_until_)
    return done(std::move(ready->made));
  jobs_.run(
      "restore the branch",
      [of = context_, bytes = bytes_, at]() -> core::result<directory> {
        STRATA_TRY(clear(of));
        *bytes = 0;
        const auto progress = [bytes](std::uint64_t now) { *bytes = now; };
        if (of.pages == page_mode::copy) {
          STRATA_TRY(of.restore(at, of.path, progress));
          return directory();
        }
        STRATA_TRY(of.lease(at));
        return of.restore_guarded(at, of.path, progress);
      },
      std::move(done));
}

void branch_directory::create_by(maker make, then done) {
  jobs_.run(
      "restore the branch",
      [of = context_, bytes = bytes_, make = std::move(make)]() -> core::result<directory> {
        STRATA_TRY(clear(of));
        *bytes = 0;
        return make(of.path, [bytes](std::uint64_t now) { *bytes = now; });
      },
      std::move(done));
}

}  // namespace strata::actors::compute
