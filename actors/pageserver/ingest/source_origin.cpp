#include "actors/pageserver/ingest/wal_origin.hpp"
#include "core/backoff.hpp"

namespace strata::actors::pageserver {
namespace {

class source_origin final : public wal_origin {
 public:
  source_origin(std::string conninfo, std::string slot, time now)
      : conninfo_(std::move(conninfo)), slot_(std::move(slot)), heard_(now) {}

  std::optional<std::string> next(time now, core::lsn) override {
    heard_ = now;
    return conninfo_;
  }
  session_goal goal(const storage::timeline_record& of, core::lsn last_record) const override {
    const bool importing = of.state == storage::timeline_state::importing;
    return {.wanted = importing ? session_goal::kind::import : session_goal::kind::resume,
            .slot = slot_,
            .resume_from = last_record,
            .system_id = of.system_id,
            .wal_segment_size = of.wal_segment_size};
  }
  std::string name() const override { return pg::client::redact_conninfo(conninfo_); }
  const std::string& slot() const override { return slot_; }

  void heard(time now, core::lsn, std::optional<core::lsn>) override { heard_ = now; }
  void not_listening(time now) override { heard_ = now; }
  void progressed() override { backoff_.reset(); }
  std::optional<core::error> reason_to_leave(time now) override {
    if (now - heard_ <= silence_max) return std::nullopt;
    return core::error{core::errc::timeout, "no message from the source for 90 s"};
  }
  void lost(time, core::lsn, const core::error&) override {}
  void caught_up(time) override {}
  std::chrono::milliseconds pause() override { return backoff_.next(); }

  bool is_source() const override { return true; }
  core::bytes feedback(core::lsn, core::lsn, core::wall_time) const override { return {}; }

 private:
  static constexpr auto silence_max = std::chrono::seconds(90);

  std::string conninfo_;
  std::string slot_;
  core::backoff backoff_{{.first = std::chrono::milliseconds(100), .longest = std::chrono::seconds(30)}};
  time heard_;
};

}  // namespace

std::unique_ptr<wal_origin> follow_source(std::string conninfo, std::string slot, core::monotonic_time now) {
  return std::make_unique<source_origin>(std::move(conninfo), std::move(slot), now);
}

}  // namespace strata::actors::pageserver
