#include <boost/test/unit_test.hpp>

#include "tests/support/simulated_disk.hpp"
#include "tests/wal/log_cases.hpp"
#include "wal/log.hpp"

namespace strata::tests {
namespace {

/// A log, and what a crash may leave of it: bytes [begin, floor) certainly, up to the end of `written` possibly; while
/// a cut is going on, exactly `cut_to` as well.
struct run {
  simulated_disk disk;
  std::unique_ptr<wal::log> log;
  core::lsn begin = small_log_begin;
  core::bytes written;  ///< from small_log_begin
  core::lsn floor = small_log_begin;
  std::optional<core::lsn> cut_to;
  std::uint8_t generation = 0;

  void require(const core::result<void>& done) const { BOOST_REQUIRE_MESSAGE(done, why(done)); }
  [[nodiscard]] core::lsn end() const { return small_log_begin + written.size(); }

  void append(std::size_t length) {
    const auto piece = wal_bytes(end(), length, generation);
    core::append(written, piece);  // before, because a crash in the middle may leave it
    require(append_to(*log, piece));
    floor = std::max(floor, log->synced());
  }
  void sync() {
    log->sync();
    floor = end();
  }
  void cut(core::lsn to) {
    cut_to = to;
    require(log->truncate(to));
    cut_to.reset();
    written.resize(to - small_log_begin);
    floor = to;
    ++generation;
  }
  void remove(core::lsn before) {
    begin = before;  // it may be removed up to here from now on
    require(log->remove_before(before));
  }

  void create() {
    require(disk.make_directory("/log"));
    disk.sync_directory("/");
    auto made = wal::log::create(disk, small_log("/log"), small_log_begin);
    BOOST_REQUIRE_MESSAGE(made, why(made));
    log = std::move(*made);
  }
  /// After a crash: the log opens and has what it must have, and nothing else.
  void reopen() {
    log.reset();
    auto opened = wal::log::open(disk, small_log("/log"), small_log_begin, cut_to ? std::min(*cut_to, floor) : floor);
    BOOST_REQUIRE_MESSAGE(opened, why(opened));
    log = std::move(*opened);
    const auto reached = log->end();
    const bool old_end = reached >= floor && reached <= end();
    BOOST_TEST_REQUIRE((old_end || (cut_to && reached == *cut_to)));
    BOOST_TEST_REQUIRE((log->begin() <= std::max(begin, small_log_begin)));
    BOOST_TEST_REQUIRE((log->synced() == reached));
    const auto all = read_all(*log);
    BOOST_REQUIRE_MESSAGE(all, why(all));
    BOOST_TEST_REQUIRE(std::equal(all->begin(), all->end(),
                                  written.begin() + static_cast<std::ptrdiff_t>(log->begin() - small_log_begin)));
    written.resize(reached - small_log_begin);
    floor = reached;
    cut_to.reset();
    ++generation;
  }
};

void scenario(run& on) {
  on.create();
  for (const std::size_t length : {10, 300, 33, 900}) on.append(length);
  on.sync();
  on.append(2000);
  on.append(1);
  on.append(600);
  on.sync();
  on.append(700);
  on.cut(on.end() - 1200);
  on.append(50);
  on.sync();
  on.append(5000);
  on.append(450);
  on.sync();
  on.cut(on.end() - 4700);
  on.cut(core::lsn(4 * 4096));
  for (int i = 0; i < 9; ++i) on.append(800);
  on.sync();
  on.remove(core::lsn(5 * 4096));
  on.append(100);
  on.log->rest();
  on.floor = on.end();
  on.append(3);
}

}  // namespace

/// Crashes at the n-th call, for every n, several times with other sectors and names lost; then again while it
/// recovers; then goes on and looks whether anything that was given up comes back.
BOOST_AUTO_TEST_SUITE(wal_log_crash)

BOOST_AUTO_TEST_CASE(a_crash_at_any_call_loses_nothing_that_was_durable) {
  constexpr int outcomes = 12;
  int crashes = 0;
  for (int nth = 0;; ++nth) {
    bool crashed = false;
    for (int outcome = 0; outcome < outcomes; ++outcome) {
      BOOST_TEST_CONTEXT("call " << nth << ", outcome " << outcome) {
        std::mt19937_64 random(static_cast<std::uint64_t>(nth * outcomes + outcome));
        run the;
        int call = 0;
        the.disk.decide = [&](simulated_disk::call, const std::string&) {
          return call++ == nth ? simulated_disk::fault::crash : simulated_disk::fault::none;
        };
        crashed = false;
        try {
          scenario(the);
        } catch (const simulated_crash&) {
          crashed = true;
        }
        ++crashes;
        const bool created = the.log != nullptr;
        the.log.reset();
        the.disk.decide = nullptr;
        the.disk.crash(random);
        if (!created) continue;  // nothing was promised

        // A crash while it is opened, at one of the first calls.
        int call_of_opening = static_cast<int>(random() % 8);
        the.disk.decide = [&](simulated_disk::call, const std::string&) {
          return call_of_opening-- == 0 ? simulated_disk::fault::crash : simulated_disk::fault::none;
        };
        try {
          the.reopen();
          // It ended without one: what was found is durable, and so it stays.
          the.disk.decide = nullptr;
        } catch (const simulated_crash&) {
          the.disk.decide = nullptr;
          the.disk.crash(random);
          the.reopen();
        }
        // Shorter and longer frames where others may have been.
        for (std::size_t i = 0; i < 3; ++i) the.append(1 + random() % 700);
        if (random() % 2 == 0) the.sync();
        the.append(1 + random() % 300);
        the.log.reset();
        the.disk.crash(random);
        the.reopen();
      }
    }
    if (!crashed) {
      BOOST_TEST(nth > 100);
      break;
    }
  }
  BOOST_TEST_MESSAGE(crashes << " crashes");
}

BOOST_AUTO_TEST_CASE(random_histories_with_crashes) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      std::mt19937_64 random(seed);
      run the;
      the.create();
      for (int step = 0; step < 60; ++step) {
        std::int64_t calls_left = random() % 3 == 0 ? static_cast<std::int64_t>(random() % 20) : -1;
        the.disk.decide = [&](simulated_disk::call, const std::string&) {
          return calls_left-- == 0 ? simulated_disk::fault::crash : simulated_disk::fault::none;
        };
        try {
          switch (random() % 8) {
            case 0: the.cut(the.log->begin() + random() % (the.end() - the.log->begin() + 1)); break;
            case 1: the.sync(); break;
            case 2:
              the.remove(std::max(the.begin,
                                  the.floor - std::min<std::uint64_t>(random() % 9000, the.floor - small_log_begin)));
              break;
            default: the.append(1 + random() % 900); break;
          }
          if (random() % 15 == 0) throw simulated_crash("between two calls");
        } catch (const simulated_crash&) {
          the.log.reset();
          the.disk.decide = nullptr;
          the.disk.crash(random);
          the.reopen();
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
