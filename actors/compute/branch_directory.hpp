#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/runtime/io_jobs.hpp"
#include "core/clock.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "host/registry.hpp"
#include "page_files/guarded_directory.hpp"

namespace strata::actors::compute {

/// Creates the data directory of one incarnation of Postgres after the other. That of pages which are filled in is
/// prepared while the election is still on, as of the LSN that the pageserver has: where the quorum's WAL ends, if
/// nobody has written meanwhile. It is used for exactly that LSN and created again for any other one, so the election
/// alone decides where Postgres begins. Part of the compute agent: everything it needs of that is an argument.
class branch_directory {
 public:
  using directory = std::shared_ptr<const page_files::guarded_directory>;
  using progress = std::function<void(std::uint64_t bytes)>;
  struct context {
    strata::host::page_mode pages = strata::host::page_mode::copy;
    std::string path;  ///< of the data directory
    /// On a thread that may block; as in host/branch_access.hpp.
    std::function<core::result<core::lsn>()> last_record_lsn;
    std::function<core::result<std::chrono::milliseconds>(core::lsn)> lease;
    std::function<core::result<void>(core::lsn at, const std::string& into, const progress&)> restore;
    std::function<core::result<directory>(core::lsn at, const std::string& into, const progress&)> restore_guarded;
    std::function<core::result<void>(const std::string& directory)> remove_mount;
    std::function<void()> before_removal = [] {};  ///< of the files of an incarnation
  };
  /// Null: a copy.
  using then = std::function<void(const core::result<directory>&)>;

  branch_directory(runtime::io_jobs jobs, context of) : jobs_(std::move(jobs)), context_(std::move(of)) {}

  /// Ends what is left of the previous Postgres and prepares the next directory, unless there is one or it is a copy.
  /// Precondition: no directory of before is in use. An error is that of the create() that follows.
  void prepare(core::monotonic_time now);
  /// Creates the directory as of `at`, or takes the one that was prepared for it: `done` is called from within then.
  /// Precondition: the one before has been reported.
  void create(core::lsn at, core::monotonic_time now, then done);
  using maker = std::function<core::result<directory>(const std::string& path, const progress&)>;
  /// The same by `make`, on a thread that may block, when what is left of the previous Postgres has ended.
  void create_by(maker make, then done);
  /// Written so far.
  [[nodiscard]] std::uint64_t bytes() const { return *bytes_; }

 private:
  struct prepared {
    core::lsn at;
    directory made;
    std::chrono::milliseconds readable_for{};
  };
  struct order {
    core::lsn at;
    core::monotonic_time now;
    then done;
  };

  void on_prepared(core::result<prepared> outcome, core::monotonic_time begun);

  runtime::io_jobs jobs_;
  context context_;
  bool preparing_ = false;
  std::optional<prepared> ready_;
  core::monotonic_time ready_until_{};  ///< its LSN is readable, with a reserve
  std::optional<order> waiting_;        ///< for the end of the preparation
  std::shared_ptr<std::atomic<std::uint64_t>> bytes_ = std::make_shared<std::atomic<std::uint64_t>>(0);
};

}  // namespace strata::actors::compute
