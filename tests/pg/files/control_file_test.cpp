#include "pg/files/control_file.hpp"

#include <boost/test/unit_test.hpp>

#include "pg/crc32c.hpp"
#include "pg/wal/version.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg::files;

namespace {

constexpr pg::major_version all_majors[] = {pg::major_version::v14, pg::major_version::v15, pg::major_version::v16,
                                            pg::major_version::v17, pg::major_version::v18};

std::size_t crc_offset(pg::major_version major) { return major == pg::major_version::v18 ? 292 : 288; }

void seal(core::bytes& file, pg::major_version major) {
  const std::size_t at = crc_offset(major);
  core::store_le(file.data() + at, pg::crc32c(core::bytes_view(file).first(at)));
}

core::bytes sample(pg::major_version major) {
  core::bytes file(control_file_size);
  const auto put = [&file](std::size_t offset, auto value) { core::store_le(file.data() + offset, value); };
  put(0, std::uint64_t{0x1122334455667788});
  put(8, pg::wal::control_version(major));
  put(12, pg::wal::catalog_version(major));
  put(16, std::uint32_t{6});
  put(24, std::int64_t{1700000000});
  put(32, std::uint64_t{0x3000028});
  put(40, std::uint64_t{0x3000028});
  put(48, std::uint32_t{1});
  put(64, (std::uint64_t{1} << 32) + 731);
  put(136, std::uint64_t{0x77});
  put(152, std::uint64_t{0x88});
  put(172, std::uint32_t{2});
  file[176] = 1;
  put(180, std::int32_t{100});
  put(204, std::uint32_t{8});
  put(208, 1234567.0);
  put(216, std::uint32_t{8192});
  put(220, std::uint32_t{131072});
  put(224, std::uint32_t{8192});
  put(228, std::uint32_t{16u << 20});
  put(232, std::uint32_t{64});
  put(236, std::uint32_t{32});
  put(240, std::uint32_t{1996});
  put(244, std::uint32_t{2048});
  file[248] = 1;
  put(260, std::uint64_t{0xA5A5A5A5A5A5A5A5});
  seal(file, major);
  return file;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_files_control_file)

BOOST_AUTO_TEST_CASE(every_major_is_recognised_and_read) {
  for (const auto major : all_majors) {
    const auto control = decode_control_file(sample(major));
    BOOST_REQUIRE(control);
    BOOST_TEST((control->major == major));
    BOOST_TEST(control->system_id == 0x1122334455667788u);
    BOOST_TEST(control->state == database_state::in_production);
    BOOST_TEST(control->checkpoint_location.value == 0x3000028u);
    BOOST_TEST(control->checkpoint_copy.next_xid == (std::uint64_t{1} << 32) + 731);
    BOOST_TEST(control->wal_level == wal_level::logical);
    BOOST_TEST(control->max_connections == 100);
    BOOST_TEST(control->wal_segment_size == 16u << 20);
    BOOST_TEST(control->hints_are_logged());
  }
}

BOOST_AUTO_TEST_CASE(encoding_what_was_decoded_gives_the_same_bytes) {
  for (const auto major : all_majors) {
    const core::bytes file = sample(major);
    const auto control = decode_control_file(file);
    BOOST_REQUIRE(control);
    const auto again = encode_control_file(*control, file);
    BOOST_REQUIRE(again);
    BOOST_TEST((*again == file));
  }
}

BOOST_AUTO_TEST_CASE(any_changed_byte_is_noticed) {
  const core::bytes file = sample(pg::major_version::v15);
  for (std::size_t i = 0; i < 292; ++i) {
    core::bytes damaged = file;
    damaged[i] ^= 0x10;
    BOOST_TEST(!decode_control_file(damaged), "byte " << i);
  }
  BOOST_TEST(decode_control_file(core::bytes(100)).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_foreign_version_or_build_is_named) {
  core::bytes file = sample(pg::major_version::v15);
  core::store_le(file.data() + 8, std::uint32_t{1201});
  seal(file, pg::major_version::v15);
  auto refused = decode_control_file(file);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::unsupported);
  BOOST_TEST(refused.error().detail.find("1201") != std::string::npos);

  file = sample(pg::major_version::v15);
  core::store_le(file.data() + 216, std::uint32_t{32768});
  seal(file, pg::major_version::v15);
  refused = decode_control_file(file);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::unsupported);
  BOOST_TEST(refused.error().detail.find("block size of 32768") != std::string::npos);

  file = sample(pg::major_version::v15);
  core::store_le(file.data() + 228, std::uint32_t{3u << 20});
  seal(file, pg::major_version::v15);
  BOOST_TEST(decode_control_file(file).error().code == core::errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_shut_down_file_names_the_record_and_keeps_what_it_does_not_know) {
  for (const auto major : all_majors) {
    const core::bytes file = sample(major);
    checkpoint copy;
    copy.redo = core::lsn(0x5001238);
    copy.next_xid = 4711;
    copy.time = 1800000000;
    const auto made = shut_down_control_file(file, copy);
    BOOST_REQUIRE(made);
    BOOST_TEST(made->size() == control_file_size);
    const auto control = decode_control_file(*made);
    BOOST_REQUIRE(control);
    BOOST_TEST(control->state == database_state::shut_down);
    BOOST_TEST(control->checkpoint_location.value == 0x5001238u);
    BOOST_TEST((control->checkpoint_copy == copy));
    BOOST_TEST(control->unlogged_lsn.value == 1000u);
    BOOST_TEST(control->minimum_recovery_point.value == 0u);
    BOOST_TEST(control->backup_start.value == 0u);
    BOOST_TEST(control->system_id == 0x1122334455667788u);
    BOOST_TEST(core::load_le<std::uint64_t>(made->data() + 260) == 0xA5A5A5A5A5A5A5A5u);
  }
}

BOOST_AUTO_TEST_CASE(a_shut_down_file_for_a_position_without_record_is_refused) {
  const core::bytes file = sample(pg::major_version::v15);
  for (const std::uint64_t position : {0x5001234u, 0x5002000u, 0x5000008u, 0u}) {
    checkpoint copy;
    copy.redo = core::lsn(position);
    BOOST_TEST(shut_down_control_file(file, copy).error().code == core::errc::invalid_argument);
  }
}

BOOST_AUTO_TEST_CASE(a_checkpoint_survives_encoding_field_by_field) {
  checkpoint from;
  from.redo = core::lsn(0x123456789A);
  from.timeline = 2;
  from.previous_timeline = 3;
  from.full_page_writes = false;
  from.wal_level = 1;
  from.next_xid = 5;
  from.next_oid = 6;
  from.next_multixact = 7;
  from.next_multixact_offset = 8;
  from.oldest_xid = 9;
  from.oldest_xid_database = 10;
  from.oldest_multixact = 11;
  from.oldest_multixact_database = 12;
  from.time = 13;
  from.oldest_commit_timestamp_xid = 14;
  from.newest_commit_timestamp_xid = 15;
  from.oldest_active_xid = 16;
  const auto bytes = from.encode();
  const auto again = checkpoint::decode(bytes);
  BOOST_REQUIRE(again);
  BOOST_TEST((*again == from));
  BOOST_TEST(core::load_le<std::uint32_t>(bytes.data() + 44) == 9u);
  BOOST_TEST(core::load_le<std::uint32_t>(bytes.data() + 80) == 16u);
  BOOST_TEST(!checkpoint::decode(core::bytes_view(bytes).first(87)));
}

BOOST_AUTO_TEST_SUITE_END()
