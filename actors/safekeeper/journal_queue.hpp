#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "actors/runtime/io_jobs.hpp"
#include "core/error.hpp"
#include "journal/timeline_view.hpp"

namespace strata::actors::safekeeper {

/// Whether the journal must be opened again after an error: the disk caused it, not the input.
bool is_disk_error(core::errc code);

/// The work on one timeline's journal: one piece at a time, in order, where it may block. After an error of the disk
/// the journal is opened again, for as long as that takes; waiting work fails with each attempt that fails. Part of the
/// acceptor actor: everything it needs of that is an argument.
///
///   idle --add()--> working --ended()--> idle;  any --lose()--> reopening --opened--> idle
class journal_queue {
 public:
  struct context {
    std::function<void()> moved;  ///< after each piece of work: positions may have moved
    std::function<void(const char* doing, const core::error&)> failed;  ///< an error of the disk
    std::function<void()> reopen_later;                                 ///< calls reopen() then
  };
  struct task {
    std::function<void()> run;  ///< starts the work; its runner calls ended()
    std::function<void(const core::error&)> fail;
  };

  /// `disk` outlives it.
  journal_queue(io::disk& disk, journal::timeline_journal::options where, std::shared_ptr<journal::timeline_view> view,
                runtime::io_jobs jobs, context of)
      : disk_(disk),
        where_(std::move(where)),
        view_(std::move(view)),
        jobs_(std::move(jobs)),
        context_(std::move(of)) {}

  /// function(journal::timeline_journal&) -> core::result<T>, then(core::result<T>).
  template <class Function, class Then>
  void exclusively(std::string what, Function function, Then then) {
    using outcome = std::invoke_result_t<Function&, journal::timeline_journal&>;
    auto next_step = std::make_shared<Then>(std::move(then));
    auto run = [this, what = std::move(what), function = std::move(function), next_step] {
      jobs_.run(
          what, [journal = view_->journal(), function] { return function(*journal); },
          [this, next_step](outcome done) {
            ended([&] {
              if (!done && is_disk_error(done.error().code)) lose(done.error());
              (*next_step)(std::move(done));
            });
          });
    };
    add({std::move(run), [next_step](const core::error& why) { (*next_step)(outcome(why)); }});
  }
  void add(task next);
  /// The work in progress has ended; `then` runs before the next piece.
  void ended(const std::function<void()>& then);
  /// Fails all waiting work.
  void fail_all(const core::error& why);

  /// The journal can't be used after this error.
  void lose(const core::error& why);
  void reopen();
  [[nodiscard]] bool lost() const { return lost_; }

 private:
  void work();

  io::disk& disk_;
  journal::timeline_journal::options where_;
  std::shared_ptr<journal::timeline_view> view_;
  runtime::io_jobs jobs_;
  context context_;
  std::deque<task> waiting_;
  bool working_ = false;
  bool lost_ = false;
};

}  // namespace strata::actors::safekeeper
