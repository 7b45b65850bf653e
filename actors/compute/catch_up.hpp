#pragma once

#include <memory>
#include <optional>
#include <string>

#include "actors/support/replication_link.hpp"
#include "consensus/proposer.hpp"
#include "wal/window.hpp"

namespace strata::actors::compute {

/// Who is to be asked for WAL from `from` on that `needed_by` lacks: of those whose log is a prefix of ours and reaches
/// behind `from`, the `attempt`-th, most WAL first; every one gets its turn, as some may have removed it already.
std::optional<consensus::node_id> choose_wal_source(const std::vector<consensus::proposer::peer>& peers,
                                                    consensus::node_id needed_by, core::lsn from, std::size_t attempt);

/// WAL that has left memory, read again from an acceptor for one that lags. Belongs to one actor, which gets the
/// socket_ready messages.
class catch_up {
 public:
  static constexpr std::size_t memory_bytes = std::size_t{4} << 20;

  catch_up(support::socket_watcher& sockets, core::lsn from, consensus::term in);

  void adopt(pg::client::replication_connection connection) { link_.adopt(std::move(connection)); }
  [[nodiscard]] bool is_open() const { return link_.open(); }
  [[nodiscard]] bool is_current(support::watch_token token) const { return link_.is_current(token); }
  [[nodiscard]] const strata::wal::window& wal() const { return wal_; }

  /// Takes in what has arrived, as far as there is room; armed unless full. False: full.
  core::result<bool> take_in(const support::socket_owner& owner);
  /// What is before `to` has been sent on.
  void sent(core::lsn to) { wal_.release(to); }

 private:
  core::result<void> on(const pg::client::replication_event& event);

  support::replication_link link_;
  strata::wal::window wal_;
  consensus::term in_;
};

}  // namespace strata::actors::compute
