#include "actors/pageserver/ingest/safekeeper_choice.hpp"
#include "actors/pageserver/ingest/wal_gap.hpp"
#include "actors/pageserver/ingest/wal_origin.hpp"
#include "pg/client/conninfo.hpp"
#include "protocol/quorum_codec.hpp"

namespace strata::actors::pageserver {
namespace {

class safekeeper_origin final : public wal_origin {
 public:
  explicit safekeeper_origin(const storage::timeline_record& of)
      : tenant_(of.tenant), timeline_(of.id), choice_(*of.safekeepers) {}

  std::optional<std::string> next(time now, core::lsn last_record) override {
    const auto to = choice_.next(now, last_record);
    if (!to) return std::nullopt;
    choice_.started(*to, now, last_record);
    idle_ = false;
    name_ = "safekeeper " + std::to_string(to->id.value) + " at " + to->host + ":" + std::to_string(to->port);
    return pg::client::safekeeper_conninfo(to->host, to->port, tenant_, timeline_) + " application_name=pageserver";
  }
  session_goal goal(const storage::timeline_record& of, core::lsn last_record) const override {
    return {.wanted = session_goal::kind::follow,
            .slot = {},
            .resume_from = last_record,
            .system_id = of.system_id,
            .wal_segment_size = of.wal_segment_size};
  }
  std::string name() const override { return name_; }
  const std::string& slot() const override { return no_slot_; }

  void heard(time now, core::lsn head, std::optional<core::lsn> position) override {
    choice_.heard(now, head, position);
  }
  void not_listening(time now) override { choice_.not_listening(now); }
  void progressed() override {
    choice_.progressed();
    gap_.progressed();
  }
  std::optional<core::error> reason_to_leave(time now) override {
    const auto why = choice_.reason_to_leave(now);
    if (!why) return std::nullopt;
    return core::error{core::errc::unavailable, "leave " + name_ + ": " + to_string(*why)};
  }
  void lost(time now, core::lsn last_record, const core::error& why) override {
    if (const auto from = choice_.current()) gap_.ended(from->id, last_record, why);
    choice_.lost(now);
  }
  void caught_up(time now) override {
    choice_.caught_up(now);
    idle_ = true;
  }
  // While a timeline is idle the broker reports new WAL; polling is for when the broker does not.
  std::chrono::milliseconds pause() override { return std::chrono::milliseconds(idle_ ? 1000 : 100); }

  bool is_source() const override { return false; }
  core::bytes feedback(core::lsn received, core::lsn disk_consistent, core::wall_time now) const override {
    core::bytes body;
    // What is durable here is all that there is: there is no second storage to upload it to.
    encode(protocol::pageserver_feedback{.last_received = received,
                                         .disk_consistent = disk_consistent,
                                         .remote_consistent = disk_consistent,
                                         .replied_at = pg::timestamp_of(now)},
           body);
    core::bytes message{'z'};
    core::append_be(message, static_cast<std::uint64_t>(body.size()));
    core::append(message, body);
    return message;
  }

  void published(const protocol::safekeeper_timeline_info& info, time now) override { choice_.published(info, now); }
  void change_members(const consensus::configuration& to) override { choice_.change_members(to); }
  void wanted() override { choice_.wanted(); }
  std::optional<messages::wal_gap> gap() const override { return gap_.gap(choice_.members()); }

 private:
  core::tenant_id tenant_;
  core::timeline_id timeline_;
  safekeeper_choice choice_;
  wal_gap_watch gap_;
  std::string name_ = "the safekeepers";
  std::string no_slot_;
  bool idle_ = false;
};

}  // namespace

std::unique_ptr<wal_origin> follow_safekeepers(const storage::timeline_record& of) {
  return std::make_unique<safekeeper_origin>(of);
}

}  // namespace strata::actors::pageserver
