#include "pg/files/relation_manifest.hpp"

#include <boost/test/unit_test.hpp>

#include "pg/crc32c.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg;
using namespace strata::pg::files;

namespace {

constexpr std::size_t body_offset = 25;  // behind the number of segments
constexpr const char* segment = "000000010000000000000012";

relation_manifest sample() {
  return {major_version::v17,
          core::lsn(0x1234567890),
          {{segment, 16u << 20, {{0, {1, 2, 3}}, {8192, {4}}, {(16u << 20) - 2, {5, 6}}}},
           {"000000010000000000000013", 16u << 20, {}}},
          {{{default_tablespace, 1, 1259, fork::main}, 14},
           {{default_tablespace, 1, 1259, fork::vm}, 1},
           {{default_tablespace, 5, 16384, fork::main}, 131073},
           {{default_tablespace, 5, 4294967295, fork::main}, 4294967295},
           {{global_tablespace, 0, 1260, fork::main}, 0},
           {{16400, 5, 16390, fork::init}, 1}}};
}

/// As after a writer that meant it: only the checksum is right.
core::bytes resealed(core::bytes file) {
  file.resize(file.size() - 4);
  core::append_le(file, crc32c(file));
  return file;
}

/// One directory of tablespace 1663 with the bytes given, one byte a number.
core::bytes with_body(std::uint32_t count, const std::vector<std::uint8_t>& body) {
  core::bytes file = encode_relation_manifest({major_version::v15, core::lsn(8), {}, {}});
  core::store_le(file.data() + 12, count);
  file.insert(file.begin() + body_offset, body.begin(), body.end());
  return resealed(std::move(file));
}

void refused(const core::bytes& file, const std::string& why) {
  const auto decoded = decode_relation_manifest(file);
  BOOST_TEST_REQUIRE(!decoded.has_value(), "taken, should be refused: " << why);
  BOOST_TEST(decoded.error().code == core::errc::corrupt);
  BOOST_TEST(decoded.error().detail == "read relation manifest: " + why);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pg_files_relation_manifest)

BOOST_AUTO_TEST_CASE(a_manifest_is_read_as_it_was_written) {
  for (const relation_manifest& each : {sample(), relation_manifest{major_version::v14, core::lsn(8), {}, {}}}) {
    const auto decoded = decode_relation_manifest(encode_relation_manifest(each));
    BOOST_REQUIRE(decoded);
    BOOST_TEST((decoded->major == each.major && decoded->at == each.at && decoded->forks == each.forks));
    BOOST_TEST_REQUIRE(decoded->segments.size() == each.segments.size());
    for (std::size_t i = 0; i < each.segments.size(); ++i) {
      const std::uint64_t size = each.segments[i].size;
      BOOST_TEST(decoded->segments[i].name == each.segments[i].name);
      BOOST_TEST_REQUIRE(decoded->segments[i].size == size);
      BOOST_TEST((decoded->segments[i].read(0, size) == each.segments[i].read(0, size)));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_bytes_are_those_of_the_documents) {
  const core::bytes file = encode_relation_manifest(
      {major_version::v15, core::lsn(0x0102), {}, {{{default_tablespace, 5, 64, fork::vm}, 300}}});
  const core::bytes expected{'S',  'R',  'E', 'L', 'L',  'I', 'S',  'T', 1, 0, 15, 0,
                             1,    0,    0,   0,   2,    1,   0,    0,   0, 0, 0,  0,  // header
                             0,                                                        // no segments
                             0xFF, 0x0C, 5,   1,   0x82, 2,   0xAC, 2};  // 1663, 5, 1 fork: 64 * 4 + 2, 300
  BOOST_TEST((core::bytes(file.begin(), file.end() - 4) == expected));
  BOOST_TEST(core::load_le<std::uint32_t>(file.data() + file.size() - 4) == crc32c(expected));
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_relations_take_less_than_a_megabyte) {
  relation_manifest many{major_version::v15, core::lsn(8), {}, {}};
  for (oid i = 0; i < 100'000; ++i) {
    many.forks.push_back({{default_tablespace, 5, 16384 + 3 * i, fork::main}, 1 + i % 1000});
    many.forks.push_back({{default_tablespace, 5, 16384 + 3 * i, fork::vm}, 1});
  }
  const core::bytes file = encode_relation_manifest(many);
  BOOST_TEST(file.size() < 1'000'000u);
  BOOST_TEST((decode_relation_manifest(file).value().forks == many.forks));
}

BOOST_AUTO_TEST_CASE(a_changed_bit_is_noticed) {
  const core::bytes file = encode_relation_manifest(sample());
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    core::bytes changed = file;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    refused(changed, "wrong checksum");
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_ends_early_is_noticed) {
  const core::bytes file = encode_relation_manifest(sample());
  for (std::size_t size = 0; size < file.size(); ++size)
    BOOST_TEST(!decode_relation_manifest(core::bytes_view(file).first(size)), size << " bytes are enough");
  for (std::size_t size = body_offset; size < file.size() - 4; ++size) {
    const auto decoded = decode_relation_manifest(
        resealed(core::bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size) + 4)));
    BOOST_TEST(!decoded, size << " bytes are enough");
  }
  core::bytes longer = file;
  longer.insert(longer.end() - 4, 0);
  refused(resealed(longer), "invalid database");
}

BOOST_AUTO_TEST_CASE(what_no_writer_writes_is_refused_with_a_right_checksum_too) {
  const auto changed = [](std::size_t offset, std::uint8_t value) {
    core::bytes file = encode_relation_manifest(sample());
    file[offset] = value;
    return resealed(file);
  };
  refused(changed(0, 's'), "wrong magic number");
  refused(changed(8, 2), "unknown version 2");
  refused(changed(10, 13), "unknown major version 13");
  refused(changed(10, 19), "unknown major version 19");
  refused(changed(12, 5), "another number of forks");
  refused(changed(15, 255), "more forks than bytes");
  refused(changed(24, 3), "invalid name of a segment");
  refused(with_body(0, {0xFF, 0x0C, 5, 0}), "a directory without forks");
  refused(with_body(1, {0, 5, 1, 64, 1}), "no database 5 in tablespace 0");
  refused(with_body(1, {0xFF, 0x0C, 0, 1, 64, 1}), "no database 0 in tablespace 1663");
  refused(with_body(1, {0x80, 0x0D, 5, 1, 64, 1}), "no database 5 in tablespace 1664");
  // Twice the same, and a relation number of 0.
  refused(with_body(2, {0xFF, 0x0C, 5, 2, 64, 1, 0, 1}), "forks are not in order");
  refused(with_body(2, {0xFF, 0x0C, 5, 1, 64, 1, 0xFF, 0x0C, 5, 1, 68, 1}), "directories are not in order");
  refused(with_body(2, {0xFF, 0x0C, 5, 1, 64, 1, 0xFF, 0x0C, 4, 1, 64, 1}), "directories are not in order");
  refused(with_body(1, {0xFF, 0x0C, 5, 1, 3, 1}), "no such relation number");
  // Numbers of more than 32 bits: 2^32 blocks, relation 2^32, and steps that lead there.
  refused(with_body(1, {0xFF, 0x0C, 5, 1, 64, 0x80, 0x80, 0x80, 0x80, 0x10}), "invalid number of blocks");
  refused(with_body(1, {0xFF, 0x0C, 5, 1, 0x80, 0x80, 0x80, 0x80, 0x40, 1}), "no such relation number");
  refused(with_body(2, {0xFF, 0x0C, 5, 2, 0xFC, 0xFF, 0xFF, 0xFF, 0x3F, 1, 0xFC, 0xFF, 0xFF, 0xFF, 0x3F, 1}),
          "no such relation number");
  // A number that is written longer than it has to be, and one without an end.
  refused(with_body(1, {0xFF, 0x0C, 5, 1, 64, 0x81, 0}), "invalid number of blocks");
  refused(with_body(1, {0xFF, 0x0C, 5, 1, 64, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 1}), "invalid number of blocks");
  core::bytes no_lsn = encode_relation_manifest(sample());
  core::store_le(no_lsn.data() + 16, std::uint64_t{0});
  refused(resealed(no_lsn), "no LSN");
}

BOOST_AUTO_TEST_CASE(a_segment_has_the_name_and_the_size_that_postgres_gives_it) {
  const auto one = [](const std::string& name, std::uint64_t size, std::vector<sparse_file::piece> pieces) {
    return encode_relation_manifest({major_version::v15, core::lsn(8), {{name, size, std::move(pieces)}}, {}});
  };
  const std::uint32_t size = 1u << 20;
  BOOST_TEST(decode_relation_manifest(one(segment, size, {{0, core::bytes(size, 1)}})).has_value());
  for (const char* name : {"../../000000010000000012", "00000001000000000000001a", "00000001/000000000000001"})
    refused(one(name, size, {}), "invalid name of a segment");
  for (const std::uint64_t odd : {0u, size - 1, size + 1, 1u << 31})
    refused(one(segment, odd, {}), "invalid size of a segment");
  refused(one(segment, size, {{0, {}}}), "invalid piece");
  refused(one(segment, size, {{size, {1}}}), "invalid piece");
  refused(one(segment, size, {{size + 1, {1}}}), "invalid piece");
  refused(one(segment, size, {{size - 1, {1, 2}}}), "invalid piece");
  refused(one(segment, size, {{5, {1, 2}}, {6, {1}}}), "invalid piece");
  const sparse_file good{segment, size, {}};
  refused(encode_relation_manifest({major_version::v15, core::lsn(8), {good, good}, {}}), "segments are not in order");
  core::bytes early = one(segment, size, {{0, core::bytes(100, 1)}});
  early.erase(early.end() - 14, early.end() - 4);
  refused(resealed(early), "a piece ends early");
}

BOOST_AUTO_TEST_CASE(more_files_than_a_disk_should_have_are_refused) {
  relation_manifest many{major_version::v15, core::lsn(8), {}, {}};
  const std::uint64_t forks = relation_manifest::files_max / files_of(4294967295) + 1;
  for (oid i = 0; i < forks; ++i) many.forks.push_back({{default_tablespace, 5, 16384 + i, fork::main}, 4294967295});
  refused(encode_relation_manifest(many), "too many files");
  many.forks.pop_back();
  BOOST_TEST(decode_relation_manifest(encode_relation_manifest(many)).has_value());
}

BOOST_AUTO_TEST_CASE(a_fork_has_a_file_for_each_gibibyte_that_is_begun) {
  BOOST_TEST(files_of(0) == 1u);
  BOOST_TEST(files_of(1) == 1u);
  BOOST_TEST(files_of(131072) == 1u);
  BOOST_TEST(files_of(131073) == 2u);
  BOOST_TEST(files_of(4294967295) == 32768u);
}

BOOST_AUTO_TEST_SUITE_END()
