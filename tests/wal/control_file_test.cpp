#include "wal/control_file.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/printing.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/wal/log_cases.hpp"

namespace strata::tests {

using core::errc;

BOOST_AUTO_TEST_SUITE(wal_control_file)

BOOST_AUTO_TEST_CASE(a_control_file_is_replaced_as_a_whole) {
  const temp_dir directory;
  const auto where = directory.path().string();
  auto& on = io::real_disk();
  BOOST_TEST(wal::read_control_file(on, where, "control").error().code == errc::not_found);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5000}, wal::control_payload_max}) {
    const core::bytes payload(size, static_cast<std::uint8_t>(size + 1));
    const auto replaced = wal::replace_control_file(on, where, "control", payload);
    BOOST_REQUIRE_MESSAGE(replaced, why(replaced));
    BOOST_TEST((*wal::read_control_file(on, where, "control") == payload));
    BOOST_TEST(on.list(where)->size() == 1u);
  }
  BOOST_TEST(wal::replace_control_file(on, where, "control", core::bytes(wal::control_payload_max + 1)).error().code ==
             errc::invalid_argument);
}

BOOST_AUTO_TEST_CASE(every_changed_byte_of_a_control_file_is_found) {
  simulated_disk on;
  BOOST_REQUIRE(on.make_directory("/d"));
  BOOST_REQUIRE(wal::replace_control_file(on, "/d", "control", wal_bytes(core::lsn(7), 100)));
  const auto before = on.content("/d/control");
  for (std::size_t offset = 0; offset < before.size(); ++offset) {
    for (const std::uint8_t mask : {0xFF, 0x01, 0x80}) {
      on.flip("/d/control", offset, mask);
      const auto read = wal::read_control_file(on, "/d", "control");
      BOOST_REQUIRE(!read);
      BOOST_TEST(read.error().code == errc::corrupt);
      BOOST_TEST(read.error().detail.find("/d/control: at offset") != std::string::npos);
      on.flip("/d/control", offset, mask);
    }
  }
  for (std::size_t size = 0; size < before.size(); ++size) {
    on.set_content("/d/control", core::bytes(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(size)));
    BOOST_TEST(wal::read_control_file(on, "/d", "control").error().code == errc::corrupt);
  }
}

BOOST_AUTO_TEST_CASE(a_crash_while_a_control_file_is_replaced_leaves_the_old_or_the_new_one) {
  const auto old = wal_bytes(core::lsn(1), 3000, 0);
  const auto renewed = wal_bytes(core::lsn(1), 1700, 1);
  for (int nth = 0;; ++nth) {
    bool crashed = false;
    for (std::uint64_t outcome = 0; outcome < 40; ++outcome) {
      simulated_disk on;
      std::mt19937_64 random(outcome);
      BOOST_REQUIRE(on.make_directory("/d"));
      on.sync_directory("/");
      BOOST_REQUIRE(wal::replace_control_file(on, "/d", "control", old));
      int call = 0;
      on.decide = [&](simulated_disk::call, const std::string&) {
        return call++ == nth ? simulated_disk::fault::crash : simulated_disk::fault::none;
      };
      crashed = false;
      try {
        BOOST_REQUIRE(wal::replace_control_file(on, "/d", "control", renewed));
      } catch (const simulated_crash&) {
        crashed = true;
      }
      on.decide = nullptr;
      on.crash(random);
      const auto read = wal::read_control_file(on, "/d", "control");
      BOOST_REQUIRE_MESSAGE(read, why(read));
      BOOST_TEST((*read == renewed || (crashed && *read == old)));
      BOOST_REQUIRE(wal::replace_control_file(on, "/d", "control", old));
    }
    if (!crashed) break;
  }
}

BOOST_AUTO_TEST_CASE(a_full_disk_leaves_the_old_control_file) {
  const auto old = wal_bytes(core::lsn(1), 3000, 0);
  for (int nth = 0;; ++nth) {
    simulated_disk on;
    BOOST_REQUIRE(on.make_directory("/d"));
    BOOST_REQUIRE(wal::replace_control_file(on, "/d", "control", old));
    on.sectors_written_when_full = 2;
    int call = 0;
    on.decide = [&](simulated_disk::call what, const std::string&) {
      const bool needs_room = what == simulated_disk::call::create || what == simulated_disk::call::write ||
                              what == simulated_disk::call::rename;
      return needs_room && call++ == nth ? simulated_disk::fault::disk_full : simulated_disk::fault::none;
    };
    const auto done = wal::replace_control_file(on, "/d", "control", wal_bytes(core::lsn(1), 1700, 1));
    if (done) break;
    BOOST_TEST(done.error().code == errc::disk_full);
    BOOST_TEST((*wal::read_control_file(on, "/d", "control") == old));
    BOOST_TEST(on.list("/d")->size() == 1u);
    BOOST_TEST(bool(wal::replace_control_file(on, "/d", "control", old)));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
