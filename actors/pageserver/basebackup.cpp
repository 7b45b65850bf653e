#include "actors/pageserver/basebackup.hpp"

#include "actors/support/actor_base.hpp"
#include "storage/mapping/data_directory.hpp"
#include "storage/timeline_store.hpp"

namespace strata::actors::pageserver {
namespace {

namespace mapping = storage::mapping;

/// Rebuilds pages chunk by chunk: on io, where it may wait for the disk.
class basebackup final : public support::actor_base<messages::basebackup_actor> {
 public:
  static constexpr const char* kind = "pageserver.basebackup";
  static constexpr support::pool_id pool = support::pool_id::io;

  basebackup(const support::actor_setup& setup, std::unique_ptr<mapping::data_directory_writer> writer)
      : actor_base(setup),
        writer_(std::move(writer)),
        bytes_(env().metrics().counter("strata_backup_bytes_total", "Bytes of tar archives sent")) {}

  behavior_type make_behavior() { return {handle(&basebackup::next)}; }

 private:
  core::result<messages::backup_chunk> next(const messages::next_chunk&) {
    auto chunk = std::make_shared<core::bytes>();
    STRATA_ASSIGN(const bool more, writer_->next(*chunk));
    bytes_.add(static_cast<double>(chunk->size()));
    if (!more) quit();
    return messages::backup_chunk{std::move(chunk)};
  }

  std::unique_ptr<mapping::data_directory_writer> writer_;
  support::counter bytes_;
};

class backup_factory final : public support::actor_base<messages::backup_factory_actor> {
 public:
  static constexpr const char* kind = "pageserver.backup_factory";
  static constexpr support::pool_id pool = support::pool_id::management;

  backup_factory(const support::actor_setup& setup, backup_factory_options options)
      : actor_base(setup), options_(std::move(options)) {}

  behavior_type make_behavior() { return {handle(&backup_factory::start)}; }

 private:
  using started = support::reply<messages::backup_started>;

  void start(const messages::start_backup& request, started answer) {
    ask(options_.tenants, messages::open_timeline{request.tenant, request.timeline},
        [this, request, answer](core::result<messages::timeline_opened> opened) {
          if (!opened) return answer.fail(opened.error());
          const auto store = opened->store;
          if (request.at <= store->last_record_lsn()) return lease(request, *opened, answer);
          ask(opened->actor, messages::wait_lsn{request.at, options_.wait_lsn_timeout},
              [this, request, opened = *opened, answer](const core::result<messages::lsn_reached>& reached) {
                if (!reached) return answer.fail(reached.error());
                lease(request, opened, answer);
              });
        });
  }

  /// Until the archive is there to hold its LSN.
  void lease(const messages::start_backup& request, const messages::timeline_opened& opened, const started& answer) {
    const core::lsn at = request.at.valid() ? request.at : opened.store->last_record_lsn();
    ask(opened.actor, messages::lease_lsn{at},
        [this, request, opened, at, answer](const core::result<messages::lsn_leased>& leased) {
          if (!leased) return answer.fail(leased.error());
          open_archive(request, at, opened, answer);
        });
  }

  void open_archive(const messages::start_backup& request, core::lsn at, const messages::timeline_opened& opened,
                    const started& answer) {
    if (auto readable = opened.store->check_readable(at); !readable) return answer.fail(readable.error());
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock().now().time_since_epoch()).count();
    const mapping::data_directory_options options{.at = at,
                                                  .kind = request.kind == messages::backup_kind::full
                                                              ? mapping::data_directory_kind::full
                                                              : mapping::data_directory_kind::compute,
                                                  .gzip = request.gzip,
                                                  .modified = now};
    offload(
        support::pool_id::io, "open an archive",
        [store = opened.store, options] { return mapping::data_directory_writer::open(store, options); },
        [this, at, timeline = opened.actor,
         answer](core::result<std::unique_ptr<mapping::data_directory_writer>> writer) {
          if (!writer) return answer.fail(writer.error());
          const messages::basebackup_actor archive =
              support::spawn<basebackup>(system(), child_label("archive at " + to_string(at)), *std::move(writer));
          ask(timeline, messages::hold_lsn{at, caf::actor_cast<caf::strong_actor_ptr>(archive)},
              [archive, at, answer](const core::result<void>& held) {
                if (!held) return answer.fail(held.error());
                answer.deliver({archive, at});
              });
        });
  }

  backup_factory_options options_;
};

}  // namespace

messages::backup_factory_actor spawn_backup_factory(caf::actor_system& system, backup_factory_options options) {
  auto label = options.label;
  return support::spawn<backup_factory>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
