#include "actors/pageserver/ingest/source_request.hpp"

#include "actors/pageserver/ingest/source_link.hpp"
#include "actors/runtime/actor_base.hpp"

namespace strata::actors::pageserver {
namespace {

namespace client = pg::client;

struct request_overdue {};
using private_request =
    source_request_actor::extend<messages::accepts<runtime::socket_ready>, messages::accepts<request_overdue>>;

class source_request final : public runtime::actor_base<private_request> {
 public:
  static constexpr const char* kind = "pageserver.source_request";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  explicit source_request(const runtime::actor_setup& setup) : actor_base(setup), link_(env().sockets()) {}

 private:
  friend actor_base;
  static constexpr auto time_max = std::chrono::seconds(15);

  void on(const probe_source& request, runtime::reply<source_probed> answer) {
    probed_ = answer;
    session_.emplace(
        session_goal{.wanted = session_goal::kind::probe, .slot = request.slot, .resume_from = {}, .system_id = 0});
    begin(request.conninfo, request.slot);
  }
  void on(const drop_source_slot& request, runtime::reply<messages::done> answer) {
    dropped_ = answer;
    drop_ = request;
    begin(request.conninfo, request.slot);
  }

  void begin(const std::string& conninfo, const std::string& slot) {
    slot_ = slot;
    describe("connected to " + client::redact_conninfo(conninfo));
    tell_self_after(time_max, request_overdue{});
    offload(
        runtime::pool_id::io, "connect", [conninfo] { return client::replication_connection::open(conninfo); },
        [this](core::result<client::replication_connection> opened) {
          if (!opened) return end(opened.error());
          link_.adopt(*std::move(opened));
          advance();
        });
  }

  void on(const runtime::socket_ready& event) {
    if (link_.is_current(event.token)) advance();
  }
  void on(const request_overdue&) {
    end({core::errc::unavailable, "the source has not answered within 15 s; is it reachable from this machine?"});
  }

  void advance() {
    if (auto stepped = link_.connection().step(); !stepped) return end(stepped.error());
    for (;;) {
      auto event = link_.connection().receive();
      if (!event) return end(event.error());
      if (!*event) break;
      auto more = take(**event);
      if (!more) return end(more.error());
      if (!*more) return;
    }
    if (auto armed = link_.arm(self()); !armed) end(armed.error());
  }

  /// False when the request is done.
  core::result<bool> take(const client::replication_event& event) {
    if (const auto* connected = std::get_if<client::connected>(&event)) major_ = connected->major;
    if (const auto* created = std::get_if<client::slot_created>(&event)) slot_existed_ = created->existed;
    if (const auto* shown = std::get_if<client::setting_shown>(&event); shown && differs_on_computes(*shown))
      settings_.push_back({shown->name, shown->value});
    if (!session_) return take_for_drop(event);
    STRATA_ASSIGN(const auto command, session_->on(event));
    if (std::holds_alternative<session_complete>(command)) {
      probed_.deliver({.major = major_,
                       .system_id = session_->system_id(),
                       .wal_segment_size = session_->wal_segment_size(),
                       .data_checksums = session_->data_checksums(),
                       .wal_log_hints = session_->wal_log_hints(),
                       .flushed = session_->source_head(),
                       .slot_existed = slot_existed_,
                       .settings = settings_});
      quit();
      return false;
    }
    STRATA_TRY(link_.carry_out(command, slot_));
    return true;
  }

  core::result<bool> take_for_drop(const client::replication_event& event) {
    if (std::holds_alternative<client::connected>(event)) {
      STRATA_TRY(drop_.system_id != 0 ? link_.connection().identify_system() : link_.connection().drop_slot(slot_));
    } else if (const auto* identified = std::get_if<client::system_identified>(&event)) {
      if (identified->system_id != drop_.system_id)
        return core::error{core::errc::conflict, "drop slot " + slot_ + ": another cluster answers there now"};
      STRATA_TRY(link_.connection().read_slot(slot_));
    } else if (const auto* found = std::get_if<client::slot_read>(&event); found && found->exists) {
      if (found->restart > drop_.last_told) return done_dropping();
      STRATA_TRY(link_.connection().drop_slot(slot_));
    } else if (found || std::holds_alternative<client::slot_dropped>(event)) {
      return done_dropping();
    }
    return true;
  }
  bool done_dropping() {
    dropped_.deliver();
    quit();
    return false;
  }

  void end(const core::error& why) {
    probed_.fail(why);
    dropped_.fail(why);
    quit();
  }

  source_link link_;
  std::optional<source_session> session_;
  runtime::reply<source_probed> probed_;
  runtime::reply<messages::done> dropped_;
  std::string slot_;
  pg::major_version major_ = pg::major_version::v15;
  bool slot_existed_ = false;
  drop_source_slot drop_;
  std::vector<messages::source_setting> settings_;
};

}  // namespace

source_request_actor spawn_source_request(caf::actor_system& system, runtime::actor_label label) {
  return runtime::spawn<source_request>(system, std::move(label));
}

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::request_overdue)
