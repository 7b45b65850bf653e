#include "actors/safekeeper/journal_queue.hpp"

namespace strata::actors::safekeeper {

bool is_disk_error(core::errc code) {
  switch (code) {
    case core::errc::disk_full:
    case core::errc::corrupt:
    case core::errc::io_error:
    case core::errc::not_found:
    case core::errc::permission_denied: return true;
    default: return false;
  }
}

void journal_queue::add(task next) {
  waiting_.push_back(std::move(next));
  work();
}

void journal_queue::work() {
  if (working_ || lost_ || waiting_.empty()) return;
  working_ = true;
  const auto run = std::move(waiting_.front().run);
  waiting_.pop_front();
  run();
}

void journal_queue::ended(const std::function<void()>& then) {
  working_ = false;
  then();
  context_.moved();
  work();
}

void journal_queue::fail_all(const core::error& why) {
  auto failing = std::exchange(waiting_, {});
  for (const task& each : failing) each.fail(why);
}

void journal_queue::lose(const core::error& why) {
  context_.failed("write", why);
  if (std::exchange(lost_, true)) return;
  reopen();
}

void journal_queue::reopen() {
  jobs_.run(
      "reopen the timeline", [disk = &disk_, where = where_] { return journal::timeline_journal::open(*disk, where); },
      [this](core::result<std::unique_ptr<journal::timeline_journal>> opened) {
        if (!opened) {
          context_.failed("reopen the timeline", opened.error());
          fail_all(opened.error());
          return context_.reopen_later();
        }
        view_->replace(*std::move(opened));
        lost_ = false;
        context_.moved();
        work();
      });
}

}  // namespace strata::actors::safekeeper
