#include "tests/storage/mapping/mapping_fixture.hpp"

#include <optional>

#include "core/blocking.hpp"

#include <algorithm>
#include <bit>
#include <boost/test/unit_test.hpp>

#include "pg/crc32c.hpp"
#include "pg/wal/version.hpp"

namespace strata::tests {

using namespace storage;

namespace {
constexpr core::lsn cluster_start{pg::default_wal_segment_size + 40};

template <class T>
T expect(core::result<T> outcome) {
  if (!outcome) BOOST_FAIL(core::to_string(outcome.error()));
  return *std::move(outcome);
}
void expect(core::result<void> outcome) {
  if (!outcome) BOOST_FAIL(core::to_string(outcome.error()));
}
}  // namespace

core::bytes make_control_file(const pg::files::checkpoint& counters, std::uint32_t checksum_version) {
  core::bytes file(8192);
  const auto put = [&](std::size_t at, auto value) { core::store_le(file.data() + at, value); };
  put(0, std::uint64_t{4711});
  put(8, pg::wal::control_version(pg::major_version::v15));
  put(12, pg::wal::catalog_version(pg::major_version::v15));
  put(16, std::uint32_t{6});
  put(32, counters.redo.value);
  const auto encoded = counters.encode();
  std::copy(encoded.begin(), encoded.end(), file.begin() + 40);
  put(172, std::uint32_t{1});
  put(180, std::uint32_t{100});
  put(184, std::uint32_t{8});
  put(188, std::uint32_t{10});
  put(192, std::uint32_t{5});
  put(196, std::uint32_t{64});
  put(204, std::uint32_t{8});
  put(208, std::bit_cast<std::uint64_t>(1234567.0));
  put(216, std::uint32_t{8192});
  put(220, std::uint32_t{131072});
  put(224, std::uint32_t{8192});
  put(228, pg::default_wal_segment_size);
  put(232, std::uint32_t{64});
  put(236, std::uint32_t{32});
  put(240, std::uint32_t{1996});
  put(244, std::uint32_t{2048});
  put(248, std::uint32_t{1});
  put(252, checksum_version);
  put(288, pg::crc32c(core::bytes_view(file).first(288)));
  return file;
}

pg::files::checkpoint mapping_fixture::first_counters() {
  pg::files::checkpoint counters;
  counters.redo = cluster_start;
  counters.next_xid = 731;
  counters.next_oid = 16384;
  counters.next_multixact = 1;
  counters.next_multixact_offset = 0;
  counters.oldest_xid = 717;
  return counters;
}

mapping_fixture::mapping_fixture(const pg::files::checkpoint& counters)
    : start(cluster_start), next(cluster_start), previous(cluster_start - 16) {
  const auto import = [&](const core::page_key& key, core::bytes_view value) {
    expect(store->import_value(key, start, value));
  };
  import(control_file_key(), make_control_file(counters));
  import(checkpoint_key(), counters.encode());
  for (const auto kind : {pg::slru_kind::clog, pg::slru_kind::multixact_members, pg::slru_kind::multixact_offsets}) {
    import(slru_page_key(kind, 0), core::bytes(pg::page_size));
    import(slru_catalog_key(kind, 0), payload_of(std::uint32_t{1}));
  }
  import(database_catalog_key(pg::default_tablespace, 5), payload_of(std::uint8_t{1}));
  import(relation_map_key(pg::default_tablespace, 5), core::bytes(512, 7));
  expect(store->finish_import(start, start));
  restart_ingest();
}

void mapping_fixture::restart_ingest() { ingestion = expect(mapping::wal_ingest::open(store)); }

core::result<void> mapping_fixture::try_ingest(const wal_record& what, read_mode mode) {
  const core::bytes bytes = encode_record(what, previous);
  const core::lsn end = (next + bytes.size()).align_up();
  pg::wal::record parsed;
  STRATA_TRY(pg::wal::parse_record(bytes, next, end, pg::major_version::v15, parsed));
  if (mapping::wal_ingest::needs_empty_batch(parsed)) hand_over();
  {
    std::optional<core::no_blocking> never_blocks;
    if (mode == read_mode::memory_only) never_blocks.emplace("test");
    STRATA_TRY(ingestion->add(parsed, batch, mode));
  }
  previous = next;
  next = end;
  if (!held) hand_over();
  return {};
}

core::lsn mapping_fixture::ingest(const wal_record& what) {
  expect(try_ingest(what));
  return next;
}

void mapping_fixture::release() {
  held = false;
  hand_over();
}

void mapping_fixture::hand_over() {
  if (!batch.empty()) store->append(std::move(batch));
  batch = write_batch();
}

std::optional<std::uint32_t> mapping_fixture::size(const pg::relation_fork& of, core::lsn at) {
  return expect(mapping::relation_size(*store, of, at, read_mode::may_block));
}

core::bytes mapping_fixture::page(const core::page_key& key, core::lsn at) {
  core::bytes content(pg::page_size, 0xEE);
  page_read read{key, content, {}};
  store->read_pages({&read, 1}, at, read_mode::may_block);
  if (read.failure) BOOST_FAIL(core::to_string(*read.failure));
  return content;
}

std::optional<core::bytes> mapping_fixture::value(const core::page_key& key) {
  return expect(store->read_value(key, now(), read_mode::may_block));
}

pg::files::checkpoint mapping_fixture::counters() {
  const auto stored = value(checkpoint_key());
  BOOST_REQUIRE(stored);
  return expect(pg::files::checkpoint::decode(*stored));
}

core::bytes make_page(std::uint8_t fill) {
  core::bytes page(pg::page_size, fill);
  std::fill_n(page.begin(), 24, std::uint8_t{0});
  core::store_le(page.data() + 12, std::uint16_t{24});
  core::store_le(page.data() + 14, std::uint16_t{8192});
  core::store_le(page.data() + 16, std::uint16_t{8192});
  core::store_le(page.data() + 18, std::uint16_t{0x2004});
  return page;
}

wal_record page_image(const pg::relation_fork& of, pg::block_number block, const core::bytes& page) {
  return {.manager = pg::wal::resource_manager::xlog,
          .info = 0xB0,
          .blocks = {{.id = 0, .relation = of, .block = block, .image = image_of(page)}}};
}

core::bytes stamped(core::bytes page, core::lsn end) {
  core::store_le(page.data(), static_cast<std::uint32_t>(end.value >> 32));
  core::store_le(page.data() + 4, static_cast<std::uint32_t>(end.value));
  return page;
}

bool all_zero(const core::bytes& page) {
  return std::all_of(page.begin(), page.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace strata::tests
