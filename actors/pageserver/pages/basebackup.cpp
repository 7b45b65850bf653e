#include "actors/pageserver/pages/basebackup.hpp"

#include <caf/send.hpp>

#include "actors/pageserver/maintenance/work_permits.hpp"
#include "actors/pageserver/pages/export_threads.hpp"
#include "actors/runtime/actor_base.hpp"
#include "storage/mapping/data_directory.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {
namespace {

namespace mapping = storage::mapping;

constexpr std::size_t threads = 4;

constexpr mapping::data_directory_kind directory_kind(messages::backup_kind of) {
  switch (of) {
    case messages::backup_kind::compute: return mapping::data_directory_kind::compute;
    case messages::backup_kind::listed: return mapping::data_directory_kind::listed;
    case messages::backup_kind::full: break;
  }
  return mapping::data_directory_kind::full;
}

/// A chunk from an export thread, or in `failure` why there is none.
struct chunk_made {
  std::shared_ptr<core::bytes> bytes;
  bool more = false;
  std::optional<core::error> failure;
};
using private_basebackup = messages::basebackup_actor::extend<messages::accepts<chunk_made>>;

/// Resources of an archive while it is open.
struct archive_permit {
  std::shared_ptr<work_permits> of;
  work_permits::permit taken;
};

/// Requests one chunk at a time, when it is asked for one.
class basebackup final : public runtime::actor_base<private_basebackup> {
 public:
  static constexpr const char* kind = "pageserver.basebackup";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  basebackup(const runtime::actor_setup& setup, std::unique_ptr<mapping::data_directory_writer> writer,
             std::shared_ptr<export_queue> queue, std::shared_ptr<archive_permit> permit)
      : actor_base(setup),
        writer_(std::move(writer)),
        queue_(std::move(queue)),
        permit_(std::move(permit)),
        bytes_(env().metrics().counter("strata_backup_bytes_total", "Bytes of tar archives sent")) {}

 private:
  friend actor_base;
  using chunk_reply = runtime::reply<messages::backup_chunk>;

  void on(const messages::next_chunk&, chunk_reply owed) {
    if (owed_) return owed.fail({core::errc::conflict, "a chunk of this archive is being written already"});
    const bool queued = queue_->push([writer = writer_, to = self()] {
      chunk_made made{std::make_shared<core::bytes>(), false, std::nullopt};
      try {
        auto more = writer->next(*made.bytes);
        if (more)
          made.more = *more;
        else
          made.failure = more.error();
      } catch (const std::exception& thrown) {
        made.failure = core::error{core::errc::io_error, std::string("write a part of an archive: ") + thrown.what()};
      }
      caf::anon_send(to, std::move(made));
    });
    if (!queued) return owed.fail({core::errc::unavailable, "the server is shutting down"});
    owed_ = std::move(owed);
  }

  void on(const chunk_made& chunk) {
    if (!owed_) return;
    auto owed = *std::exchange(owed_, std::nullopt);
    if (chunk.failure) return owed.fail(*chunk.failure);
    bytes_.add(static_cast<double>(chunk.bytes->size()));
    owed.deliver({chunk.bytes});
    if (!chunk.more) quit();
  }

  std::shared_ptr<mapping::data_directory_writer> writer_;
  std::shared_ptr<export_queue> queue_;
  std::shared_ptr<archive_permit> permit_;
  runtime::counter bytes_;
  std::optional<chunk_reply> owed_;
};

class backup_factory final : public runtime::actor_base<messages::backup_factory_actor> {
 public:
  static constexpr const char* kind = "pageserver.backup_factory";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  backup_factory(const runtime::actor_setup& setup, backup_factory_options options)
      : actor_base(setup), options_(std::move(options)) {}

 private:
  friend actor_base;
  using started = runtime::reply<messages::backup_started>;

  void on(const messages::start_backup& request, started answer) {
    ask(options_.tenants, messages::open_timeline{request.tenant, request.timeline},
        [this, request, answer](core::result<messages::timeline_opened> opened) {
          if (!opened) return answer.fail(opened.error());
          if (!request.at.valid()) return find_head(request, *opened, answer);
          if (request.at <= opened->store->last_record_lsn()) return lease(request, *opened, answer);
          ask(opened->actor, messages::wait_lsn{request.at, options_.wait_lsn_timeout},
              [this, request, opened = *opened, answer](const core::result<messages::lsn_reached>& reached) {
                if (!reached) return answer.fail(reached.error());
                lease(request, opened, answer);
              });
        });
  }

  /// Also leases it.
  void find_head(const messages::start_backup& request, const messages::timeline_opened& opened,
                 const started& answer) {
    ask(opened.actor, messages::resolve_point{{}, messages::head_wait},
        [this, request, opened, answer](const core::result<messages::point_resolved>& head) {
          if (!head) return answer.fail(head.error());
          open_archive(request, head->at, opened, answer);
        });
  }

  /// Until the archive exists and holds its LSN.
  void lease(const messages::start_backup& request, const messages::timeline_opened& opened, const started& answer) {
    ask(opened.actor, messages::lease_lsn{request.at},
        [this, request, opened, answer](const core::result<messages::lsn_leased>& leased) {
          if (!leased) return answer.fail(leased.error());
          open_archive(request, request.at, opened, answer);
        });
  }

  void open_archive(const messages::start_backup& request, core::lsn at, const messages::timeline_opened& opened,
                    const started& answer) {
    const bool full = request.kind == messages::backup_kind::full;
    const auto& permits = full ? exports_ : computes_;
    auto free = permits->try_take();
    if (!free)
      return answer.fail({core::errc::busy, full ? "no more than " + std::to_string(options_.exports_max) +
                                                       " exports run at once; try again when one of them has ended"
                                                 : "no more than " + std::to_string(options_.computes_max) +
                                                       " computes can be started at once; try again in a moment"});
    const auto permit = std::make_shared<archive_permit>(permits, *std::move(free));
    if (auto readable = opened.store->check_readable(at); !readable) return answer.fail(readable.error());
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock().now().time_since_epoch()).count();
    const mapping::data_directory_options options{.at = at,
                                                  .kind = directory_kind(request.kind),
                                                  .gzip = request.gzip,
                                                  .standby_of = request.standby_of,
                                                  .modified = now};
    offload(
        runtime::pool_id::io, "open an archive",
        [store = opened.store, options] { return mapping::data_directory_writer::open(store, options); },
        [this, at, permit, timeline = opened.actor,
         answer](core::result<std::unique_ptr<mapping::data_directory_writer>> writer) {
          if (!writer) return answer.fail(writer.error());
          const messages::basebackup_actor archive = runtime::spawn<basebackup>(
              system(), child_label("archive at " + to_string(at)), *std::move(writer), threads_.queue(), permit);
          ask(timeline, messages::hold_lsn{at, caf::actor_cast<caf::strong_actor_ptr>(archive)},
              [archive, at, answer](const core::result<void>& held) {
                if (!held) return answer.fail(held.error());
                answer.deliver({archive, at});
              });
        });
  }

  backup_factory_options options_;
  std::shared_ptr<work_permits> exports_ = std::make_shared<work_permits>(options_.exports_max);
  std::shared_ptr<work_permits> computes_ = std::make_shared<work_permits>(options_.computes_max);
  export_threads threads_{threads};
};

}  // namespace

messages::backup_factory_actor spawn_backup_factory(caf::actor_system& system, backup_factory_options options) {
  auto label = options.label;
  return runtime::spawn<backup_factory>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::chunk_made)
