#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/runtime/io_jobs.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "host/branch_access.hpp"
#include "host/lasting_files.hpp"

namespace strata::actors::compute {

/// What outlives the incarnations of a Postgres beside the branch: gets it before each start, chooses what of it the
/// start uses, and stores what has changed. Part of the compute agent: everything it needs of that is an argument.
class lasting_keeper {
 public:
  /// After a failed attempt to store something.
  static constexpr std::chrono::milliseconds retry_pause{1'000};

  struct context {
    std::shared_ptr<strata::host::branch_access> branch;
    strata::host::lasting_host host;
    std::function<void(const char* doing, const core::error&)> note;
    std::function<void(const std::string&)> log;
  };
  lasting_keeper(runtime::io_jobs jobs, context of) : jobs_(std::move(jobs)), context_(std::move(of)) {}

  // -- a start, in this order

  /// Asks the server: what holds at `at`, or of a writer in this term the newest. Later than the election: no earlier
  /// writer changes it then.
  void fetch(std::optional<core::lsn> at, std::uint64_t term);
  /// Calls `then` when the answer is here, from within if it is. Asks if nobody has.
  void when_fetched(std::function<void(const core::result<void>&)> then);
  /// What of it the job that starts Postgres writes, before it starts it: on a thread that may block. The settings and
  /// files of `server` are complete afterwards.
  using writer = std::function<core::result<void>(strata::host::postgres_options& server)>;
  [[nodiscard]] writer write_files();
  /// Whether the next incarnation shall run with logical WAL.
  [[nodiscard]] bool logical_wal() const { return start_ && start_->logical_wal; }
  /// Postgres did not start. True if there are other settings, which the next start uses.
  bool fall_back(const core::error& why);
  /// Postgres runs: its settings are proven.
  void started(core::lsn at);

  // -- while it runs

  /// Five times a second: stores what has changed.
  void look(core::lsn at, core::monotonic_time now);
  /// Postgres has ended: stores what it has left, then calls `then`.
  void server_ended(core::lsn at, std::function<void()> then);
  /// Other lines of --set, from the next start on.
  void adopt(std::vector<std::string> settings) { context_.host.settings = std::move(settings); }
  /// Another writer has the branch: nothing is stored any more.
  void superseded() { writes_ = false; }

  /// For the job that removes the files of an incarnation, on its thread: what ends with it.
  [[nodiscard]] std::function<void()> before_removal() const;
  /// For people, of this incarnation.
  [[nodiscard]] std::vector<std::string> notes() const;

 private:
  /// What is in the directory and what of it is stored, for one job at a time.
  struct directory_state {
    strata::host::written_lines ours;
    std::vector<strata::host::lasting_file> stored;
    std::vector<std::string> not_kept;                 ///< as the log says
    std::optional<strata::host::lasting_watch> watch;  ///< from before Postgres starts
  };
  struct ended_slots {
    std::mutex mutex;
    std::vector<std::string> names;  // guarded by mutex
  };

  void fetched(core::result<strata::host::lasting_files> answer);
  void store(core::lsn at, bool with_data, std::function<void(const core::result<void>&)> then);
  [[nodiscard]] std::string files() const { return strata::host::files_of(context_.host.data_directory); }

  runtime::io_jobs jobs_;
  context context_;
  std::optional<core::lsn> at_;
  std::uint64_t term_ = 0;
  bool fetching_ = false;
  std::optional<core::result<void>> answer_;
  std::function<void(const core::result<void>&)> waiting_;
  strata::host::lasting_files files_;
  std::shared_ptr<const strata::host::lasting_start> start_;
  std::shared_ptr<directory_state> state_;
  std::optional<strata::host::lasting_watch> watch_;
  bool running_ = false;
  bool writes_ = true;
  bool storing_ = false;
  bool dirty_ = false;
  bool corrected_ = false;  ///< settings were changed after others had been refused
  core::monotonic_time next_attempt_{};
  std::function<void()> when_stored_;
  /// The newest settings with which Postgres did not start, why, and what is used in their place.
  std::vector<strata::host::lasting_file> refused_;
  std::string refusal_;
  strata::host::settings_choice choice_ = strata::host::settings_choice::newest;
  std::shared_ptr<ended_slots> slots_ = std::make_shared<ended_slots>();
};

}  // namespace strata::actors::compute
