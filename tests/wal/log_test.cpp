#include "wal/log.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "tests/support/printing.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/wal/log_cases.hpp"

namespace strata::tests {
namespace {

using core::errc;

std::unique_ptr<wal::log> created(io::disk& on, const wal::log_options& options) {
  auto made = wal::log::create(on, options, small_log_begin);
  BOOST_REQUIRE_MESSAGE(made, why(made));
  return std::move(*made);
}
std::unique_ptr<wal::log> opened(io::disk& on, const wal::log_options& options, core::lsn must_reach) {
  auto made = wal::log::open(on, options, small_log_begin, must_reach);
  BOOST_REQUIRE_MESSAGE(made, why(made));
  return std::move(*made);
}
void require(const core::result<void>& done) { BOOST_REQUIRE_MESSAGE(done, why(done)); }
void require_content(const wal::log& of, const core::bytes& expected) {
  const auto all = read_all(of);
  BOOST_REQUIRE_MESSAGE(all, why(all));
  BOOST_TEST((*all == expected));
}

/// Runs on a real disk and on the simulated one, which must behave alike.
template <class F>
void on_both_disks(F f) {
  const temp_dir directory;
  f(io::real_disk(), directory.path().string());
  simulated_disk simulated;
  require(simulated.make_directory("/log"));
  f(simulated, std::string("/log"));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(wal_log)

BOOST_AUTO_TEST_CASE(what_is_appended_is_read_again_after_opening) {
  on_both_disks([](io::disk& on, const std::string& directory) {
    const auto options = small_log(directory);
    const auto content = wal_bytes(small_log_begin, 20000);
    {
      const auto log = created(on, options);
      BOOST_TEST((log->begin() == small_log_begin && log->end() == small_log_begin));
      // Pieces of all lengths, some across segments.
      std::size_t at = 0;
      for (std::size_t length = 1; at < content.size(); length = length * 5 % 977 + 1) {
        const auto piece = core::bytes_view(content).subspan(at, std::min(length, content.size() - at));
        const std::array<core::bytes_view, 3> parts{piece.first(piece.size() / 2), core::bytes_view(),
                                                    piece.subspan(piece.size() / 2)};
        require(log->append(parts));
        at += piece.size();
        BOOST_TEST((log->end() == small_log_begin + at));
      }
      log->sync();
      BOOST_TEST((log->synced() == log->end()));
      require_content(*log, content);
    }
    const auto log = opened(on, options, small_log_begin + content.size());
    BOOST_TEST((log->begin() == small_log_begin));
    BOOST_TEST((log->end() == small_log_begin + content.size()));
    require_content(*log, content);
    // From everywhere, some bytes.
    for (std::size_t from = 0; from < content.size(); from += 61) {
      core::bytes some(700);
      const auto got = log->read(small_log_begin + from, some);
      BOOST_REQUIRE(got);
      BOOST_TEST(*got == std::min<std::size_t>(700, content.size() - from));
      BOOST_TEST(std::equal(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(*got),
                            content.begin() + static_cast<std::ptrdiff_t>(from)));
    }
    core::bytes some(1);
    BOOST_TEST(log->read(small_log_begin - 1, some).error().code == errc::out_of_range);
    BOOST_TEST(log->read(log->end(), some).error().code == errc::out_of_range);
    log->rest();
    require_content(*log, content);
    require(append_to(*log, wal_bytes(log->end(), 10)));
  });
}

BOOST_AUTO_TEST_CASE(a_log_is_created_once_and_opened_only_where_it_is) {
  on_both_disks([](io::disk& on, const std::string& directory) {
    const auto options = small_log(directory);
    BOOST_TEST(wal::log::open(on, options, small_log_begin, small_log_begin).error().code == errc::not_found);
    created(on, options);
    BOOST_TEST(wal::log::create(on, options, small_log_begin).error().code == errc::conflict);
    BOOST_TEST(wal::log::open(on, options, small_log_begin + 8, small_log_begin).error().code == errc::corrupt);
    auto other = options;
    other.tenant.value[0] = 9;
    const auto refused = wal::log::open(on, other, small_log_begin, small_log_begin);
    BOOST_REQUIRE(!refused);
    BOOST_TEST(refused.error().code == errc::corrupt);
    BOOST_TEST(refused.error().detail.find("it belongs to timeline") != std::string::npos);
  });
}

BOOST_AUTO_TEST_CASE(truncation_cuts_at_any_byte) {
  for (const std::uint64_t kept : {0u, 1u, 500u, 3095u, 3096u, 3097u, 4000u, 7192u, 9000u, 9999u, 10000u}) {
    on_both_disks([&](io::disk& on, const std::string& directory) {
      const auto options = small_log(directory);
      auto content = wal_bytes(small_log_begin, 10000);
      {
        const auto log = created(on, options);
        for (std::size_t at = 0; at < content.size(); at += 250)
          require(append_to(*log, core::bytes_view(content).subspan(at, 250)));
        require(log->truncate(small_log_begin + kept));
        BOOST_TEST((log->end() == small_log_begin + kept && log->synced() == log->end()));
        content.resize(kept);
        require_content(*log, content);
        BOOST_TEST(log->truncate(log->end() + 1).error().code == errc::out_of_range);
        BOOST_TEST(log->truncate(log->begin() - 1).error().code == errc::out_of_range);
        const auto more = wal_bytes(log->end(), 5000, 1);
        require(append_to(*log, more));
        core::append(content, more);
        log->sync();
        require_content(*log, content);
      }
      require_content(*opened(on, options, small_log_begin + content.size()), content);
    });
  }
}

BOOST_AUTO_TEST_CASE(the_newest_bytes_are_in_memory_and_are_those_on_the_disk) {
  on_both_disks([&](io::disk& on, const std::string& directory) {
    auto options = small_log(directory);
    options.segment_size = 1u << 20;
    const auto log = created(on, options);
    const auto same = [&](core::lsn from) {
      core::bytes here(wal::log::recent_bytes_max + 1), there(here.size());
      const std::size_t got = log->read_recent(from, here);
      const auto expected = log->read(from, there);
      BOOST_REQUIRE_MESSAGE(expected, why(expected));
      here.resize(got);
      there.resize(got == 0 ? 0 : *expected);
      BOOST_TEST((here == there));
      return got;
    };
    core::bytes nothing(1);
    BOOST_TEST(log->read_recent(log->begin(), nothing) == 0u);
    for (int i = 0; i < 50; ++i) {
      require(append_to(*log, wal_bytes(log->end(), i % 7 == 0 ? wal::log::append_size_max : 3000)));
      BOOST_TEST(same(log->end() - 1) == 1u);
      BOOST_TEST(same(log->end() - 2000) == 2000u);
    }
    BOOST_TEST(same(log->end() - wal::log::append_size_max) == wal::log::append_size_max);
    BOOST_TEST(log->read_recent(log->end() - wal::log::recent_bytes_max - 1, nothing) == 0u);
    BOOST_TEST(log->read_recent(log->end(), nothing) == 0u);

    const auto cut = log->end() - 1000;
    require(log->truncate(cut));
    BOOST_TEST(log->read_recent(cut - 100, nothing) == 0u);
    require(append_to(*log, wal_bytes(cut, 1000, 1)));
    BOOST_TEST(same(cut) == 1000u);
    BOOST_TEST(log->read_recent(cut - 1, nothing) == 0u);
    log->rest();
    BOOST_TEST(log->read_recent(cut, nothing) == 0u);
  });
}

BOOST_AUTO_TEST_CASE(segments_that_nobody_needs_are_removed_as_files) {
  on_both_disks([](io::disk& on, const std::string& directory) {
    const auto options = small_log(directory);
    {
      const auto log = created(on, options);
      require(append_to(*log, wal_bytes(small_log_begin, 12000)));
      log->sync();
      const auto size = log->size_bytes();
      require(log->remove_before(core::lsn(4 * 4096 - 1)));
      BOOST_TEST((log->begin() == small_log_begin));
      require(log->remove_before(core::lsn(5 * 4096)));
      BOOST_TEST((log->begin() == core::lsn(5 * 4096)));
      BOOST_TEST(log->size_bytes() < size);
      // The last one stays, whatever is said.
      require(log->remove_before(core::lsn::max()));
      BOOST_TEST((log->begin() == core::lsn(6 * 4096)));
      BOOST_TEST(on.list(directory)->size() == 1u);
    }
    const auto log = opened(on, options, small_log_begin + 12000);
    BOOST_TEST((log->begin() == core::lsn(6 * 4096)));
    require_content(*log, wal_bytes(core::lsn(6 * 4096), small_log_begin + 12000 - core::lsn(6 * 4096)));
  });
}

BOOST_AUTO_TEST_CASE(a_full_disk_takes_nothing_and_the_log_goes_on) {
  // The n-th call that needs room fails once, for all n, with nothing or a part of a write done.
  for (const std::uint64_t sectors : {0u, 1u}) {
    for (int nth = 0;; ++nth) {
      simulated_disk on;
      require(on.make_directory("/log"));
      on.sync_directory("/");
      const auto options = small_log("/log");
      const auto log = created(on, options);
      on.sectors_written_when_full = sectors;
      int call = 0;
      bool hit = false;
      on.decide = [&](simulated_disk::call what, const std::string&) {
        const bool needs_room = what == simulated_disk::call::create || what == simulated_disk::call::write ||
                                what == simulated_disk::call::resize || what == simulated_disk::call::rename;
        if (!needs_room || call++ != nth) return simulated_disk::fault::none;
        hit = true;
        return simulated_disk::fault::disk_full;
      };
      core::bytes content;
      const auto put = [&](std::size_t length) {
        for (int attempt = 0; attempt < 2; ++attempt) {
          const auto left = length - (log->end() - small_log_begin - content.size());
          const auto done = append_to(*log, wal_bytes(log->end(), left));
          if (done) break;
          BOOST_TEST(done.error().code == errc::disk_full);
          BOOST_TEST(attempt == 0);
          // What counts is content or nothing.
          BOOST_TEST((log->end() == small_log_begin + content.size() || log->end().value % options.segment_size == 0));
        }
        content = wal_bytes(small_log_begin, content.size() + length);
        require_content(*log, content);
      };
      for (const std::size_t length : {700, 40, 900, 3000, 100, 600, 5000}) put(length);
      if (auto done = log->truncate(small_log_begin + 4000); !done) {
        BOOST_TEST(done.error().code == errc::disk_full);
        require_content(*log, content);
        require(log->truncate(small_log_begin + 4000));
      }
      content.resize(4000);
      put(500);
      log->sync();
      std::mt19937_64 random(static_cast<std::uint64_t>(nth));
      on.crash(random);
      on.decide = nullptr;
      require_content(*opened(on, options, small_log_begin + content.size()), content);
      if (!hit) {
        BOOST_TEST(nth > 30);
        break;
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(readers_of_other_threads_see_whole_content_while_it_grows_and_shrinks) {
  const temp_dir directory;
  auto options = small_log(directory.path().string());
  options.segment_size = 1u << 20;
  options.preallocated_bytes = 64u << 10;
  const auto log = created(io::real_disk(), options);
  require(append_to(*log, wal_bytes(small_log_begin, 10000)));
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> wrong = 0;
  std::atomic<std::uint64_t> reads = 0;
  std::thread reader([&] {
    core::bytes some(3000);
    std::uint64_t step = 1;
    do {
      const auto end = log->end();
      const auto from = small_log_begin + step * 7919 % (end - small_log_begin);
      ++step;
      const auto got = log->read(from, some);
      // A cut may have come between the two calls.
      if (!got && got.error().code == errc::out_of_range) continue;
      if (!got ||
          !std::equal(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(*got), wal_bytes(from, *got).begin()))
        ++wrong;
      ++reads;
    } while (!over);
  });
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 20; ++i) require(append_to(*log, wal_bytes(log->end(), 4000)));
    require(log->truncate(log->end() - 30000));
  }
  over = true;
  reader.join();
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(reads > 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
