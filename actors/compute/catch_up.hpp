#pragma once

#include <memory>
#include <optional>
#include <string>

#include "actors/net/replication_link.hpp"
#include "consensus/proposer.hpp"
#include "wal/window.hpp"

namespace strata::actors::compute {

/// The acceptor to read WAL from, from `from` on, for `needed_by`: of those whose log is a prefix of ours and ends
/// after `from`, the `attempt`-th, most WAL first. Later attempts choose the others, as some may have removed the WAL.
std::optional<consensus::node_id> choose_donor(const std::vector<consensus::proposer::peer>& peers,
                                               consensus::node_id needed_by, core::lsn from, std::size_t attempt);

/// Up to where WAL leaves memory when room is short: first committed WAL, then, of a record that is longer than
/// memory and can only be committed as a whole, WAL that was sent to a quorum. Half of the memory always stays, for
/// acceptors that lag a little: they are fed from it at no cost.
struct memory_use {
  core::lsn end;  ///< of the WAL in memory
  core::lsn commit;
  core::lsn sent_to_quorum;        ///< accepted by the sockets of a quorum
  std::uint64_t window_bytes = 0;  ///< proposer_options: an acceptor that does not answer receives no more
  std::uint64_t memory_bytes = 0;
};
core::lsn committed_to_forget(const memory_use& of);
/// 0: nothing. If a quorum has stopped answering memory stays full, and Postgres waits.
core::lsn uncommitted_to_forget(const memory_use& of);

/// WAL that has left memory, read again for an acceptor that lags: from another acceptor, or from Postgres, which keeps
/// uncommitted WAL. Belongs to one actor, which gets the socket_ready messages.
class catch_up {
 public:
  static constexpr std::size_t memory_bytes = std::size_t{4} << 20;

  /// `in`: the term of the acceptor to read from; none: reads from Postgres.
  catch_up(runtime::socket_watcher& sockets, core::lsn from, std::optional<consensus::term> in);

  /// The application name. Not that of the synchronous standby: the status of this connection counts for no commit.
  static constexpr const char* name = "wal_proposer_recovery";
  [[nodiscard]] bool from_postgres() const { return !in_; }

  void adopt(pg::client::replication_connection connection) { link_.adopt(std::move(connection)); }
  /// A safekeeper sends only the WAL that it has: after its end Postgres is read.
  void go_on_with_postgres(pg::client::replication_connection connection) {
    in_.reset();
    link_.adopt(std::move(connection));
  }
  [[nodiscard]] bool is_open() const { return link_.open(); }
  [[nodiscard]] bool is_current(runtime::watch_token token) const { return link_.is_current(token); }
  [[nodiscard]] const strata::wal::window& wal() const { return wal_; }

  /// Whether there is room for WAL, so that the other side must send some.
  [[nodiscard]] bool waits_for_wal() const;
  /// Reads WAL as far as there is room; armed unless full. False: full.
  core::result<bool> take_in(const runtime::socket_owner& owner);
  /// WAL before `to` was sent on.
  void sent(core::lsn to) { wal_.release(to); }

 private:
  core::result<void> on(const pg::client::replication_event& event);

  net::replication_link link_;
  strata::wal::window wal_;
  std::optional<consensus::term> in_;
};

}  // namespace strata::actors::compute
