#include "pg/files/checkpoint.hpp"

namespace strata::pg::files {

std::array<std::uint8_t, checkpoint::encoded_size> checkpoint::encode() const {
  std::array<std::uint8_t, encoded_size> to{};
  const auto put = [&to](std::size_t offset, auto value) { core::store_le(to.data() + offset, value); };
  put(0, redo.value);
  put(8, timeline);
  put(12, previous_timeline);
  put(16, static_cast<std::uint8_t>(full_page_writes));
  put(20, wal_level);
  put(24, next_xid);
  put(32, next_oid);
  put(36, next_multixact);
  put(40, next_multixact_offset);
  put(44, oldest_xid);
  put(48, oldest_xid_database);
  put(52, oldest_multixact);
  put(56, oldest_multixact_database);
  put(64, time);
  put(72, oldest_commit_timestamp_xid);
  put(76, newest_commit_timestamp_xid);
  put(80, oldest_active_xid);
  return to;
}

core::result<checkpoint> checkpoint::decode(core::bytes_view from) {
  if (from.size() < encoded_size)
    return core::error{core::errc::corrupt, "decode checkpoint: " + std::to_string(from.size()) + " bytes of 88"};
  const auto get = [&from]<class T>(std::size_t offset, T& value) { value = core::load_le<T>(from.data() + offset); };
  checkpoint into;
  get(0, into.redo.value);
  get(8, into.timeline);
  get(12, into.previous_timeline);
  into.full_page_writes = from[16] != 0;
  get(20, into.wal_level);
  get(24, into.next_xid);
  get(32, into.next_oid);
  get(36, into.next_multixact);
  get(40, into.next_multixact_offset);
  get(44, into.oldest_xid);
  get(48, into.oldest_xid_database);
  get(52, into.oldest_multixact);
  get(56, into.oldest_multixact_database);
  get(64, into.time);
  get(72, into.oldest_commit_timestamp_xid);
  get(76, into.newest_commit_timestamp_xid);
  get(80, into.oldest_active_xid);
  return into;
}

}  // namespace strata::pg::files
