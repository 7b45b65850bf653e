#include "actors/compute/catch_up.hpp"

#include <algorithm>

namespace strata::actors::compute {

namespace client = pg::client;
using consensus::proposer;

namespace {
/// Neither a safekeeper nor a walsender sends more WAL in one message.
constexpr std::size_t read_size_max = consensus::append_size_max;
}  // namespace

std::optional<consensus::node_id> choose_donor(const std::vector<proposer::peer>& peers, consensus::node_id needed_by,
                                               core::lsn from, std::size_t attempt) {
  std::vector<const proposer::peer*> able;
  for (const auto& each : peers)
    if (each.id != needed_by && each.now == proposer::peer::state::streaming && each.flush_lsn > from)
      able.push_back(&each);
  if (able.empty()) return std::nullopt;
  std::stable_sort(able.begin(), able.end(), [](const auto* a, const auto* b) { return a->flush_lsn > b->flush_lsn; });
  return able[attempt % able.size()]->id;
}

core::lsn committed_to_forget(const memory_use& of) {
  return std::min(of.commit, of.end - std::min(of.end.value, of.memory_bytes / 2));
}

core::lsn uncommitted_to_forget(const memory_use& of) {
  // An acceptor that was sent more than the window has answered in the middle of a record.
  if (of.sent_to_quorum <= of.commit + of.window_bytes) return {};
  return std::min(of.sent_to_quorum, of.end - std::min(of.end.value, of.memory_bytes / 2));
}

catch_up::catch_up(runtime::socket_watcher& sockets, core::lsn from, std::optional<consensus::term> in)
    : link_(sockets), wal_(memory_bytes), in_(in) {
  wal_.restart(from);
}

bool catch_up::waits_for_wal() const { return wal_.room() >= read_size_max; }

core::result<bool> catch_up::take_in(const runtime::socket_owner& owner) {
  if (!waits_for_wal()) return false;
  STRATA_TRY(link_.connection().step());
  for (;;) {
    if (!waits_for_wal()) return false;
    STRATA_ASSIGN(const auto event, link_.connection().receive());
    if (!event) break;
    STRATA_TRY(on(*event));
  }
  STRATA_TRY(link_.arm(owner));
  return true;
}

core::result<void> catch_up::on(const client::replication_event& event) {
  auto& connection = link_.connection();
  if (const auto* wal = std::get_if<client::wal_data>(&event)) {
    if (wal->start != wal_.end() || wal->bytes.size() > wal_.room())
      return core::error{core::errc::corrupt, "the WAL received is not the requested one"};
    wal_.append(wal->bytes);
    return {};
  }
  if (const auto* alive = std::get_if<client::keepalive>(&event); alive != nullptr && alive->reply_requested) {
    auto sent = connection.send_status(wal_.end(), {}, {});
    if (!sent && sent.error().code == core::errc::busy) return {};
    return sent;
  }
  if (std::holds_alternative<client::connected>(event))
    return connection.start_replication("", wal_.end(), 1, in_ ? std::optional(in_->value) : std::nullopt);
  if (std::holds_alternative<client::streaming_ended>(event))
    return core::error{core::errc::unavailable, "the stream has ended"};
  return {};
}

}  // namespace strata::actors::compute
