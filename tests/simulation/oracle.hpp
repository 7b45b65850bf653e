#pragma once

#include <map>
#include <memory>

#include "consensus/term.hpp"
#include "tests/simulation/world.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::tests::simulation {

inline constexpr std::uint32_t segment_size = 1u << 20;

/// The WAL that a proposer writes: real records, each with its writer's term and a number.
class written_wal {
 public:
  written_wal(core::lsn start, core::lsn previous)
      : builder_({.start = start, .segment_size = segment_size, .previous = previous}) {}

  void add_record(consensus::term writer, std::uint64_t number, std::size_t size);
  void add_switch();
  [[nodiscard]] core::lsn start() const { return builder_.start(); }
  [[nodiscard]] core::lsn end() const { return builder_.position(); }
  [[nodiscard]] core::bytes_view bytes(core::lsn from, core::lsn to) {
    return core::bytes_view(builder_.stream()).subspan(from - start(), to - from);
  }
  /// Where the record that ends at `end` begins; 0 when none does.
  [[nodiscard]] core::lsn record_before(core::lsn end) const;

 private:
  wal_builder builder_;
  std::map<core::lsn, core::lsn> start_by_end_;
};

/// Knows what every elected proposer has written and what was acknowledged, and throws `violation` when a promise of
/// the protocol is broken:
///   - a term has one proposer;
///   - what was committed is in the log of every later winner, byte for byte;
///   - two proposers that commit agree on everything below both ends;
///   - a log of an acceptor has what the proposers of its history have written, and its commit_lsn was committed.
/// Bytes are compared through histories: a log up to a position is determined by which term wrote which part of it.
class oracle {
 public:
  explicit oracle(world& in) : world_(in) {}

  void elected(std::uint64_t proposer, consensus::term in, core::lsn start, const consensus::term_history& history,
               std::shared_ptr<written_wal> wal);
  void committed(consensus::term in, core::lsn to);
  [[nodiscard]] core::lsn committed() const { return committed_; }

  /// An acceptor says that everything before it is committed.
  void believed(std::uint64_t acceptor, core::lsn commit_lsn, const consensus::term_history& history) const;
  /// What a log with this history has at [from, to).
  [[nodiscard]] core::bytes content(const consensus::term_history& history, core::lsn from, core::lsn to) const;
  /// Where the last record before `end` begins in a log with this history.
  [[nodiscard]] core::lsn record_before(const consensus::term_history& history, core::lsn end) const;

 private:
  struct winner {
    std::uint64_t proposer = 0;
    core::lsn start;
    consensus::term_history history;
    std::shared_ptr<written_wal> wal;
  };
  struct part {
    consensus::term in;
    core::lsn begin;
    core::lsn end;
    bool operator==(const part&) const = default;
  };
  /// Who wrote what of a log up to `end`, without parts of no length.
  static std::vector<part> parts_of(const consensus::term_history& history, core::lsn end);
  static bool same(const consensus::term_history& one, const consensus::term_history& other, core::lsn end) {
    return parts_of(one, end) == parts_of(other, end);
  }

  world& world_;
  std::map<consensus::term, winner> winners_;
  core::lsn committed_;
  consensus::term committed_in_;
  consensus::term_history committed_history_;
};

}  // namespace strata::tests::simulation
