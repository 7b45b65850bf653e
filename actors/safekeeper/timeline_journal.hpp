#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consensus/acceptor.hpp"
#include "consensus/codec.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"
#include "wal/disk.hpp"
#include "wal/log.hpp"

namespace strata::actors::safekeeper {

/// Where an acceptor stands, for everybody.
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
/// and finds the ends of records. Every call but position() and log() blocks and comes from one thread at a time. No
/// actor, so that the simulation runs it as it is.
///
/// After an error of the disk (not a refusal of a message) the journal must be thrown away and opened again.
class timeline_journal {
 public:
  struct options {
    std::string directory;  ///< of this timeline
    consensus::node_id self;
  };
  /// Makes the directory. errc::conflict when it has a timeline.
  static core::result<std::unique_ptr<timeline_journal>> create(wal::disk& on, const options& where,
                                                                const consensus::acceptor_state& state);
  static core::result<std::unique_ptr<timeline_journal>> open(wal::disk& on, const options& where);

  /// A message and, for an append, its bytes.
  struct incoming {
    consensus::proposer_message message;
    core::bytes_view wal;
  };
  struct outcome {
    std::vector<consensus::acceptor_message> replies;  ///< may go out: what they promise is durable
    std::size_t taken = 0;                             ///< messages handled
    std::optional<core::error> refused;                ///< why the next one was not: its connection must be closed
  };
  /// Handles messages in order: appends that follow each other are written and made durable together, and only the last
  /// of them is answered.
  outcome handle(std::span<const incoming> messages);

  /// timeline_news, switch_members, bump_term.
  core::result<void> tell(const consensus::acceptor_input& event);
  /// Removes WAL that nobody needs: before `horizon` and before what the durable state allows.
  core::result<void> remove_wal_before(core::lsn horizon);
  /// Makes positions durable that are only in memory.
  core::result<void> save_positions();
  void rest();

  /// Any thread.
  [[nodiscard]] acceptor_position position() const;
  [[nodiscard]] consensus::acceptor_state state() const;
  /// For readers of WAL; any thread.
  [[nodiscard]] std::shared_ptr<const wal::log> log() const;
};

}  // namespace strata::actors::safekeeper
