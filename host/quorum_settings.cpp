#include "host/quorum_settings.hpp"

namespace strata::host {

std::vector<std::string> quorum_settings(const std::string& standby_name, bool logical) {
  return {
      "synchronous_standby_names=" + standby_name,
      // A session may still choose less for its own transactions.
      "synchronous_commit=on",
      // Logical decoding sends on what no quorum has yet: only where the branch's owner has chosen that.
      logical ? "wal_level=logical" : "wal_level=replica",
      // After a crash a local recovery would show transactions that nobody has acknowledged.
      "restart_after_crash=off",
      // The directory is thrown away with the server, and pages in storage are never torn.
      "fsync=off",
      "full_page_writes=off",
      "archive_mode=off",
      // WAL stays until it is acknowledged, however long that takes, and the stream is never given up.
      "max_wal_senders=10",
      "max_replication_slots=10",
      "max_slot_wal_keep_size=-1",
      "wal_sender_timeout=0",
      // The log is watched for waits that were cancelled (log_watch.hpp).
      "log_destination=stderr",
      "logging_collector=off",
      "log_min_messages=warning",
      "lc_messages=C",
  };
}

}  // namespace strata::host
