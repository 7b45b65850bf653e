#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/timeline_view.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::tests {

/// The journal of a timeline in a directory of this machine, and the WAL that its proposer sends.
struct journal_home {
  static constexpr std::uint32_t segment_size = 1u << 20;
  static constexpr consensus::node_id self{1};

  explicit journal_home(core::lsn start = core::lsn(segment_size), io::disk& on = io::real_disk(),
                        std::string directory = {})
      : disk(on), wal({.start = start, .segment_size = segment_size}) {
    where = {.directory = directory.empty() ? (home / "timeline").string() : directory,
             .self = self,
             .preallocated_bytes = 64u << 10};
    auto made = journal::timeline_journal::create(
        disk, where, {.tenant = key.tenant, .timeline = key.timeline, .cluster = {}, .members = members});
    BOOST_TEST_REQUIRE(made);
    view = std::make_shared<journal::timeline_view>(key, *std::move(made));
  }

  void say(const consensus::proposer_message& message, core::bytes_view bytes = {}) const {
    const journal::timeline_journal::incoming one{message, bytes};
    const auto done = view->journal()->handle({&one, 1});
    BOOST_REQUIRE_MESSAGE(!done.refused, (done.refused ? to_string(*done.refused) : ""));
  }
  void elect() const {
    say(consensus::greeting{key.tenant, key.timeline, members, {150020, 4711, segment_size}});
    say(consensus::vote_request{1, in});
    say(consensus::elected{1, in, wal.start(), consensus::term_history().with({in, wal.start()})});
  }
  /// Appends WAL, committed, up to a position in the segment with this number; segment 1 is the first that there is.
  void commit_into(std::uint64_t segment) {
    constexpr std::size_t record_size = 20'000;
    auto from = wal.position();
    while (wal.position().value / segment_size < segment)
      wal.append({.info = 0x20, .main_data = core::bytes(record_size, 0x77)});
    for (core::lsn to; from < wal.position(); from = to) {
      to = std::min(wal.position(), from + consensus::append_size_max);
      say(consensus::append{1, in, from, to, to, {}},
          core::bytes_view(wal.stream()).subspan(from - wal.start(), to - from));
    }
  }

  temp_dir home;
  io::disk& disk;
  core::timeline_key key{core::make_id<core::tenant_id>(), core::make_id<core::timeline_id>()};
  consensus::configuration members{1, {{{1}, "a", 1}, {{2}, "b", 2}, {{3}, "c", 3}}, std::nullopt};
  consensus::term in{1};
  wal_builder wal;
  journal::timeline_journal::options where;
  std::shared_ptr<journal::timeline_view> view;
};

}  // namespace strata::tests
