#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consensus/acceptor.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "protocol/acceptor_summary.hpp"
#include "protocol/quorum_codec.hpp"
#include "wal/log.hpp"

namespace strata::journal {

/// An acceptor's positions, for all threads.
struct acceptor_position {
  consensus::term in;
  consensus::term last_log_term;
  core::lsn write_lsn;
  core::lsn flush_lsn;
  core::lsn commit_lsn;
  core::lsn backup_lsn;
  core::lsn peer_horizon;
  core::lsn remote_consistent;
  core::lsn timeline_start;
  core::lsn local_start;
  std::uint32_t generation = 0;
};

/// An acceptor over its files: control file and log in one directory. Carries out the machine's effects in their order
/// and finds the ends of records. Every call but position(), state() and log() blocks and comes from one thread at a
/// time. No actor, so that the simulation runs this class unchanged.
///
/// After an error of the disk (outcome::failed, or an error of tell, remove_wal_before, save_positions) the journal
/// refuses all work: destroy it and open it again.
class timeline_journal {
 public:
  struct options {
    std::string directory;  ///< of this timeline
    consensus::node_id self;
    std::uint32_t preallocated_bytes = 4u << 20;  ///< wal::log_options
  };
  /// Fills `to` with WAL from `from` on, as much as exists; 0: there is no more.
  using wal_source = std::function<core::result<std::size_t>(core::lsn from, core::bytes_span to)>;

  /// Creates the directory; its parent exists. errc::conflict when it has a timeline. The state of a peer whose
  /// timeline is pulled comes with WAL: `wal` from state.local_start on, at least up to state.commit_lsn. A crash in
  /// between leaves no timeline, and the next create overwrites the files.
  static core::result<std::unique_ptr<timeline_journal>> create(io::disk& on, const options& where,
                                                                const consensus::acceptor_state& state,
                                                                const wal_source& wal = nullptr);
  /// Reads and checks all of its WAL, and cuts it after the last whole record. errc::not_found: no timeline;
  /// errc::corrupt: file and offset.
  static core::result<std::unique_ptr<timeline_journal>> open(io::disk& on, const options& where);

  /// A message and, for an append, its bytes.
  struct incoming {
    consensus::proposer_message message;
    core::bytes_view wal;
  };
  struct outcome {
    std::vector<consensus::acceptor_message> replies;  ///< may be sent: what they promise is durable
    std::size_t taken = 0;                             ///< messages handled
    std::optional<core::error> refused;                ///< why the next one was not: its connection must be closed
    bool failed = false;                               ///< `refused` came from the disk: open the journal again
  };
  /// Handles messages in order: consecutive appends are written and made durable together, and only the last of them
  /// is answered. Damaged WAL is refused; WAL before it stays.
  outcome handle(std::span<const incoming> messages);

  /// handle() in two steps, for owners of many timelines that write all of them before they wait for the disk: the last
  /// appends are written but neither durable nor answered until sync(). The answer is for the connection of the last
  /// append: call sync() before messages of another connection. Any other message makes the appends before it durable.
  outcome write(std::span<const incoming> messages);
  outcome sync();

  /// timeline_news, switch_members, bump_term.
  core::result<void> tell(const consensus::acceptor_input& event);
  /// Removes files of WAL before `horizon` that, by durable positions, is not needed: it is committed, the pageserver
  /// has it (remote_consistent), and it is in object storage or on every member (backup_lsn, peer_horizon).
  core::result<void> remove_wal_before(core::lsn horizon);
  /// Makes durable the positions that are only in memory.
  core::result<void> save_positions();
  void rest();

  /// Any thread.
  [[nodiscard]] acceptor_position position() const;
  [[nodiscard]] consensus::acceptor_state state() const;
  /// For readers of WAL; null until there is some. A log outlives its journal.
  [[nodiscard]] std::shared_ptr<const wal::log> log() const;

 private:
  /// Where the records of a log end.
  struct decoded {
    pg::wal::stream_decoder decoder;
    core::lsn record_end;  ///< of the last whole record
  };
  static core::result<decoded> decode_log(const wal::log& from, const consensus::cluster_identity& cluster,
                                          core::lsn known_end);

  timeline_journal(io::disk& on, options where, consensus::acceptor machine, std::shared_ptr<wal::log> log);

  [[nodiscard]] core::result<void> check_incoming(const incoming& next) const;
  core::result<consensus::acceptor_effects> step(const consensus::acceptor_input& input);
  core::result<void> carry_out(const consensus::acceptor_effects& effects, core::bytes_view wal, outcome& into);
  core::result<void> make_decoder();
  core::result<void> decode(core::bytes_view wal);
  core::result<void> drop_damaged_wal(outcome& into);
  core::result<void> write_group();
  core::result<void> flush(outcome& into);
  core::result<void> truncate(core::lsn to);
  core::result<void> persist();
  /// Sets broken_ and returns the error: memory and files may differ now.
  core::error break_with(core::error from);
  void refuse(outcome& into, core::error why);

  io::disk& disk_;
  const options options_;
  bool broken_ = false;

  mutable std::mutex mutex_;  ///< machine_ and the pointer log_: changed by the owner, read by all threads
  consensus::acceptor machine_;
  std::shared_ptr<wal::log> log_;
  consensus::acceptor_state persisted_;

  std::optional<decoded> decoded_;       ///< up to the last append accepted; created on demand
  std::vector<core::bytes_view> group_;  ///< appends accepted and not yet written, as one frame
  std::size_t group_bytes_ = 0;
};

/// For SHOW acceptor_state.
protocol::acceptor_summary summary_of(const timeline_journal& journal);

}  // namespace strata::journal
