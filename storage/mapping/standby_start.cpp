#include "storage/mapping/standby_start.hpp"

#include <utility>

#include "pg/files/slru.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/cluster_counters.hpp"
#include "storage/mapping/directory.hpp"

namespace strata::storage::mapping {

core::result<standby_start_tracker> standby_start_tracker::decode(core::bytes_view from) {
  core::byte_reader reader(from);
  standby_start_tracker made;
  made.newest_.at = core::lsn(reader.le<std::uint64_t>());
  made.newest_.next_xid = reader.le<std::uint64_t>();
  made.newest_.oldest_active = reader.le<std::uint32_t>();
  made.locks_before_last_ = core::lsn(reader.le<std::uint64_t>());
  made.locks_since_last_ = core::lsn(reader.le<std::uint64_t>());
  if (!reader.ok() || reader.left() != 0)
    return core::error{core::errc::corrupt,
                       "the start of standbys has " + std::to_string(from.size()) + " bytes, which is the wrong size"};
  return made;
}

core::bytes standby_start_tracker::encode() const {
  core::bytes to;
  core::append_le(to, newest_.at.value);
  core::append_le(to, newest_.next_xid);
  core::append_le(to, newest_.oldest_active);
  core::append_le(to, locks_before_last_.value);
  core::append_le(to, locks_since_last_.value);
  return to;
}

void standby_start_tracker::locks_logged(core::lsn start) {
  if (locks_since_last_.valid()) return;
  locks_since_last_ = start;
  changed_ = true;
}

void standby_start_tracker::transactions_running(core::lsn start, const pg::records::running_transactions& record,
                                                 pg::transaction_id oldest_before, const pg::files::checkpoint& after) {
  const core::lsn locks = locks_before_last_.valid() ? locks_before_last_ : locks_since_last_;
  locks_before_last_ = std::exchange(locks_since_last_, core::lsn());
  newest_.at = locks.valid() ? locks : start;
  newest_.next_xid = with_epoch(record.next_xid, after);
  // Some that ran at the locks may have ended since.
  const bool older = locks.valid() && oldest_before != 0 && pg::files::precedes(oldest_before, record.oldest_running);
  newest_.oldest_active = older ? oldest_before : record.oldest_running;
  changed_ = true;
}

void standby_start_tracker::shut_down(core::lsn end, pg::files::full_transaction_id next_xid) {
  newest_ = {end, next_xid, 0};
  locks_before_last_ = locks_since_last_ = {};
  changed_ = true;
}

std::optional<standby_start> standby_start_tracker::newest() const {
  if (!newest_.at.valid()) return std::nullopt;
  return newest_;
}

bool standby_start_tracker::take_changed() { return std::exchange(changed_, false); }

std::optional<standby_start> choose_standby_start(const std::optional<standby_start>& stored, core::lsn branch_point,
                                                  pg::files::full_transaction_id next_xid_there) {
  if (!branch_point.valid()) return stored;
  // Up to the branch point it is the ancestor's: what runs there does not run here.
  if (stored && stored->at > branch_point) return stored;
  return standby_start{branch_point, next_xid_there, 0};
}

core::result<standby_start> find_standby_start(const timeline_store& store, core::lsn head) {
  const timeline_record record = store.record();
  if (record.major < pg::major_version::v15) {
    STRATA_ASSIGN(const auto spaces, tablespaces(store, head));
    if (!spaces.empty())
      return core::error{core::errc::unsupported,
                         "a standby of Postgres 14 can't have tablespaces, and the branch has " +
                             std::to_string(spaces.size()) +
                             "; read it as of a time instead: compute start BRANCH@TIME"};
  }
  STRATA_ASSIGN(const auto value, store.read_value(standby_start_key(), head, read_mode::may_block));
  std::optional<standby_start> stored;
  if (value) {
    STRATA_ASSIGN(const auto tracker, standby_start_tracker::decode(*value));
    stored = tracker.newest();
  }
  const core::lsn branch_point = own_wal_begin(record);
  pg::files::full_transaction_id next_xid = 0;
  if (branch_point.valid()) {
    STRATA_ASSIGN(const auto counters, store.read_value(checkpoint_key(), branch_point, read_mode::may_block));
    if (!counters) return core::error{core::errc::corrupt, "the counters at the branch point are missing"};
    STRATA_ASSIGN(const auto there, pg::files::checkpoint::decode(*counters));
    next_xid = there.next_xid;
  }
  const auto found = choose_standby_start(stored, branch_point, next_xid);
  constexpr const char* remedy =
      "; Postgres writes a record of its running transactions within 15 s of activity, and a standby can begin there";
  if (!found)
    return core::error{core::errc::unavailable,
                       std::string("no position is known at which a standby can begin") + remedy};
  if (const auto readable = store.check_readable(found->at); !readable)
    return core::error{core::errc::unavailable,
                       "the newest position at which a standby can begin: " + readable.error().detail + remedy};
  return *found;
}

}  // namespace strata::storage::mapping
