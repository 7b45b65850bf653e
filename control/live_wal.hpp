#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"
#include "pg/wal/record.hpp"

namespace strata::control {

struct live_wal_options {
  std::string conninfo;
  core::lsn from;                    ///< 0: from where the server's WAL ends now
  std::optional<core::lsn> until;    ///< stop before the first record that ends behind it
  std::chrono::milliseconds during;  ///< stop after this time
};

/// What the server said before its WAL comes.
struct live_server {
  pg::major_version major = pg::major_version::v15;
  bool hints_are_logged = false;  ///< data checksums or wal_log_hints
  std::string consistency_checking;
};

/// WAL of a running server, record by record, over a physical replication connection without a slot. Blocks; ends at
/// the first of: `until`, the time, SIGINT or SIGTERM, the end of the stream. Errors are those of
/// replication_connection and errc::corrupt for WAL that is none.
class live_wal {
 public:
  /// Connects and asks. The server must have wal_level replica or logical.
  static core::result<live_wal> open(live_wal_options options);
  live_wal(live_wal&&) noexcept;
  ~live_wal();
  [[nodiscard]] const live_server& server() const;

  struct ended {
    core::lsn start;
    core::lsn end;
    std::string why;
  };
  core::result<ended> follow(const std::function<void(const pg::wal::record&)>& use);

 private:
  struct state;
  explicit live_wal(std::unique_ptr<state> of);
  std::unique_ptr<state> state_;
};

}  // namespace strata::control
