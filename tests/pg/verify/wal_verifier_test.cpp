#include "pg/verify/wal_verifier.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <memory>
#include <vector>

#include "pg/files/start_segment.hpp"
#include "pg/page/page.hpp"
#include "pg/redo/visibility_map.hpp"
#include "pg/verify/cluster_files.hpp"
#include "tests/pg/redo/redo_sample.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/wal_builder.hpp"

BOOST_AUTO_TEST_SUITE(pg_verify_wal_verifier)

namespace {

using namespace strata;
using namespace strata::tests;
using namespace strata::pg::verify;
using pg::wal::resource_manager;

const pg::relation_fork table{1663, 5, 16384, pg::fork::main};

/// A verifier, and records made for it one after the other.
struct verification {
  std::vector<mismatch> told;
  report found{pg::major_version::v15, [this](const mismatch& each) { told.push_back(each); }};
  wal_verifier verifier;
  core::lsn at{1 << 20};

  explicit verification(verifier_options options = {}) : verifier(options, found) {}

  void add(const wal_record& of) {
    const core::bytes bytes = encode_record(of, core::lsn(64));
    const auto record = std::make_unique<pg::wal::record>();
    const core::lsn end = (at + bytes.size()).align_up();
    BOOST_REQUIRE(pg::wal::parse_record(bytes, at, end, pg::major_version::v15, *record).has_value());
    verifier.add(*record);
    at = end;
  }
  [[nodiscard]] record_counts inserts() { return found.of(resource_manager::heap, 0x00); }
};

/// Heap/INSERT, with the image that the server made afterwards if there is one.
wal_record insert(std::uint16_t at, pg::block_number block, const page_bytes* checked = nullptr) {
  const auto made = heap_insert(at, "row", at == 1);
  wal_record record{
      .manager = made.manager,
      .info = made.info,
      .xid = 700,
      .blocks = {{.id = 0, .relation = table, .block = block, .will_init = made.will_init, .data = made.data}},
      .main_data = made.main_data};
  if (checked != nullptr) {
    record.info |= 0x02;
    record.blocks[0].image = image_of(*checked);
    record.blocks[0].image->apply = false;
  }
  return record;
}

/// The page with the first `count` rows.
page_bytes page_with(std::uint16_t count, pg::block_number block) {
  page_bytes page{};
  for (std::uint16_t at = 1; at <= count; ++at) {
    auto made = heap_insert(at, "row", at == 1);
    made.addresses[0].block = block;
    BOOST_REQUIRE(pg::redo::apply(made.record(), core::lsn(1000u + at), {}, page).has_value());
  }
  return page;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_page_that_differs_is_told_once_and_then_taken_from_the_image) {
  verification run;
  run.add(insert(1, 9));
  page_bytes theirs = page_with(2, 9);
  theirs[8186] ^= 0xFF;  // the last byte of the first row
  run.add(insert(2, 9, &theirs));
  BOOST_REQUIRE_EQUAL(run.told.size(), 1u);
  BOOST_TEST(run.told[0].record == "Heap/INSERT");
  BOOST_TEST((run.told[0].relation == table));
  BOOST_TEST(run.told[0].block == 9u);
  BOOST_TEST(run.told[0].start.valid());
  BOOST_TEST(run.told[0].what.find("bytes 8186") != std::string::npos, run.told[0].what);

  theirs = page_with(3, 9);
  theirs[8186] ^= 0xFF;
  run.add(insert(3, 9, &theirs));
  BOOST_TEST(run.found.mismatches == 1u);
  BOOST_TEST(run.inserts().compared == 2u);
  BOOST_TEST(run.inserts().different == 1u);
}

BOOST_AUTO_TEST_CASE(without_a_base_a_page_is_learned_from_its_first_check_image) {
  verification run;
  run.add(insert(2, 9));
  BOOST_TEST(run.inserts().unknown == 1u);
  BOOST_TEST(run.inserts().redone == 0u);
  const page_bytes known = page_with(2, 9);
  run.add(insert(2, 9, &known));
  BOOST_TEST(run.found.pages_learned == 1u);
  const page_bytes next = page_with(3, 9);
  run.add(insert(3, 9, &next));
  BOOST_TEST(run.inserts().compared == 1u);
  BOOST_TEST(run.found.mismatches == 0u);
}

BOOST_AUTO_TEST_CASE(with_a_base_a_page_that_nobody_gave_is_new_and_can_t_be_changed) {
  verification run({.has_base = true});
  run.add(insert(2, 9));
  BOOST_REQUIRE_EQUAL(run.told.size(), 1u);
  BOOST_TEST(run.inserts().failed == 1u);
  BOOST_TEST(run.told[0].what.find("never initialised") != std::string::npos, run.told[0].what);
}

BOOST_AUTO_TEST_CASE(pages_beyond_the_bound_are_counted_and_not_followed) {
  verification run({.pages_max = 2});
  for (pg::block_number block = 0; block < 5; ++block) run.add(insert(1, block));
  BOOST_TEST(run.verifier.pages().size() == 2u);
  BOOST_TEST(run.found.pages_beyond_memory == 3u);
  BOOST_TEST(run.found.mismatches == 0u);
}

BOOST_AUTO_TEST_CASE(a_record_of_an_extension_makes_its_pages_unknown) {
  verification run;
  run.add(insert(1, 9));
  run.add({.manager = static_cast<resource_manager>(130),
           .info = 0x10,
           .blocks = {{.id = 0, .relation = table, .block = 9, .data = {1}}}});
  run.add(insert(2, 9));
  BOOST_TEST(run.found.total().foreign == 1u);
  BOOST_TEST(run.inserts().unknown == 1u);
  BOOST_TEST(run.found.mismatches == 0u);
  BOOST_TEST(run.found.rows().back().record == "custom(130)/10");
}

BOOST_AUTO_TEST_CASE(files_are_compared_with_their_lsn) {
  verification run;
  run.add(insert(1, 9));
  page_bytes file = page_with(1, 9);
  pg::page::slotted_page(file).set_lsn(run.at);
  run.verifier.compare_with_file(table, 9, file);
  BOOST_TEST(run.found.file_pages_compared == 1u);
  BOOST_TEST(run.found.mismatches == 0u);
  pg::page::slotted_page(file).set_lsn(run.at + 8);
  run.verifier.compare_with_file(table, 9, file);
  BOOST_TEST(run.found.mismatches == 1u);
  run.verifier.compare_with_file(table, 10, file);
  BOOST_TEST(run.found.file_pages_unknown == 1u);
}

BOOST_AUTO_TEST_CASE(a_hint_without_its_image_moves_the_lsn_as_on_the_server) {
  verification run;
  run.add(insert(1, 9));
  run.add({.manager = resource_manager::xlog, .info = 0xA0, .blocks = {{.id = 0, .relation = table, .block = 9}}});
  page_bytes file = page_with(1, 9);
  pg::page::slotted_page(file).set_lsn(run.at);
  run.verifier.compare_with_file(table, 9, file);
  BOOST_TEST(run.found.file_pages_compared == 1u);
  BOOST_TEST(run.found.mismatches == 0u);
}

namespace {

wal_record shutdown_checkpoint() {
  return {.manager = resource_manager::xlog, .info = 0x00, .main_data = core::bytes(88)};
}
wal_record noop() { return {.manager = resource_manager::xlog, .info = 0x20, .main_data = {0}}; }
wal_record hint_without_image() {
  return {.manager = resource_manager::xlog, .info = 0xA0, .blocks = {{.id = 0, .relation = table, .block = 9}}};
}
wal_record created() {
  core::bytes data;
  for (const std::uint32_t word : {table.tablespace, table.database, table.relation, 0u}) core::append_le(data, word);
  return {.manager = resource_manager::storage, .info = 0x10, .main_data = data};
}
void restart(verification& run) {
  run.add(shutdown_checkpoint());
  run.add(noop());
}
page_bytes with_lsn(page_bytes page, core::lsn lsn) {
  pg::page::slotted_page(page).set_lsn(lsn);
  return page;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_crash_may_lose_the_lsn_that_a_hint_without_image_moved) {
  for (const bool restarted : {false, true}) {
    verification run;
    run.add(noop());
    run.add(insert(1, 9));
    const core::lsn inserted = run.at;
    run.add(hint_without_image());
    const core::lsn hinted = run.at;
    if (restarted) restart(run);
    run.add(hint_without_image());
    const core::lsn last = run.at;
    const auto compare = [&](const page_bytes& file) {
      const auto before = run.found.mismatches;
      run.verifier.compare_with_file(table, 9, file);
      return run.found.mismatches == before;
    };
    const page_bytes page = page_with(1, 9);
    BOOST_TEST(compare(with_lsn(page, last)));
    // The last hint came after the restart, and a clean stop writes its page.
    BOOST_TEST(!compare(with_lsn(page, inserted)));
    BOOST_TEST(!compare(with_lsn(page, hinted)));
    restart(run);
    BOOST_TEST(compare(with_lsn(page, inserted)));
    BOOST_TEST(compare(with_lsn(page, hinted)));
    BOOST_TEST(!compare(with_lsn(page, core::lsn(inserted.value - 8))));
    BOOST_TEST(!compare(with_lsn(page, last + 8)));
    page_bytes other = page;
    other[8186] ^= 0xFF;
    BOOST_TEST(!compare(with_lsn(other, inserted)));
    // A change of the page settles its LSN.
    run.add(insert(2, 9));
    restart(run);
    BOOST_TEST(!compare(with_lsn(page_with(2, 9), inserted)));
    BOOST_TEST(!compare(with_lsn(page_with(2, 9), last)));
  }
}

BOOST_AUTO_TEST_CASE(hints_may_have_been_logged_only_since_a_restart) {
  const auto set_visible = [] {
    pg::relation_fork map = table;
    map.fork = pg::fork::vm;
    core::bytes data;
    core::append_le<std::uint32_t>(data, 0);
    data.push_back(0x03);
    return wal_record{.manager = resource_manager::heap2,
                      .info = 0x40,
                      .blocks = {{.id = 0, .relation = map, .block = 0}, {.id = 1, .relation = table, .block = 9}},
                      .main_data = data};
  };
  for (const bool restarted : {false, true}) {
    verification run({.context = {.hints_are_logged = true}});
    run.add(noop());
    run.add(insert(1, 9));
    const core::lsn inserted = run.at;
    run.add(set_visible());
    BOOST_TEST(run.told.empty());
    if (restarted) restart(run);
    page_bytes file = with_lsn(page_with(1, 9), inserted);
    pg::page::slotted_page(file).set_flag(pg::page::all_visible);
    run.verifier.compare_with_file(table, 9, file);
    BOOST_TEST(run.found.mismatches == (restarted ? 0u : 1u));
    run.verifier.compare_with_file(table, 9, with_lsn(file, core::lsn(inserted.value - 8)));
    BOOST_TEST(run.found.mismatches == (restarted ? 1u : 2u));
  }
}

BOOST_AUTO_TEST_CASE(a_copy_of_a_database_that_a_crash_ended_leaves_files_that_no_wal_names) {
  for (const bool restarted : {false, true}) {
    verification run({.has_base = true});
    run.add(noop());
    run.add(insert(1, 9));
    if (restarted) restart(run);
    pg::relation_fork copy = table;
    copy.database = table.database + 1;
    run.verifier.compare_with_file(copy, 9, page_with(1, 9));
    BOOST_TEST(run.found.mismatches == (restarted ? 0u : 1u));
    copy.database = table.database;
    copy.relation = table.relation + 1;
    run.verifier.compare_with_file(copy, 9, page_with(1, 9));
    BOOST_TEST(run.found.mismatches == (restarted ? 1u : 2u));
  }
}

BOOST_AUTO_TEST_CASE(files_of_a_build_that_a_crash_ended_may_hold_what_wal_lost) {
  enum class after { nothing, restart, restart_and_use };
  // `behind`: of the page's LSN, from where the WAL ended at the restart.
  const auto agrees = [](after what, std::int64_t behind, bool known) {
    verification run({.has_base = true});
    run.add(noop());
    run.add(created());
    if (known) run.add(insert(1, 9));
    const core::lsn end = run.at;
    if (what != after::nothing) restart(run);
    if (what == after::restart_and_use) run.add(insert(1, 3));
    run.verifier.compare_with_file(
        table, 9, with_lsn(page_with(2, 9), core::lsn(end.value + static_cast<std::uint64_t>(behind))));
    return run.found.mismatches == 0;
  };
  for (const bool known : {false, true}) {
    BOOST_TEST(agrees(after::restart, 8, known));
    BOOST_TEST(agrees(after::restart, 100000, known));
    BOOST_TEST(!agrees(after::restart, 0, known));
    BOOST_TEST(!agrees(after::restart, -8, known));
    BOOST_TEST(!agrees(after::nothing, 8, known));
    BOOST_TEST(!agrees(after::restart_and_use, 8, known));
  }
}

BOOST_AUTO_TEST_CASE(a_crash_may_leave_a_file_that_wal_never_mentions) {
  const auto agrees = [](bool base_page, bool restarted, std::int64_t behind) {
    verification run({.has_base = true});
    pg::relation_fork known = table;
    if (!base_page) ++known.relation;
    run.verifier.add_base_page(known, 0, page_with(1, 0));
    // The shutdown checkpoint at which the WAL begins is no restart.
    run.add(shutdown_checkpoint());
    run.add(noop());
    const core::lsn end = run.at;
    if (restarted) restart(run);
    run.verifier.compare_with_file(
        table, 9, with_lsn(page_with(1, 9), core::lsn(end.value + static_cast<std::uint64_t>(behind))));
    return run.found.mismatches == 0;
  };
  BOOST_TEST(agrees(false, true, 8));
  BOOST_TEST(!agrees(false, true, 0));
  BOOST_TEST(!agrees(false, false, 8));
  BOOST_TEST(!agrees(true, true, 8));
}

BOOST_AUTO_TEST_CASE(a_map_that_create_database_left_out_is_learned_from_its_check_image) {
  pg::relation_fork map = table;
  map.fork = pg::fork::vm;
  page_bytes blank{};
  pg::page::slotted_page(blank).init(0);
  const auto visible = [&](const page_bytes& checked) {
    core::bytes main(5);
    main[4] = 3;
    wal_record record{.manager = resource_manager::heap2,
                      .info = 0x42,
                      .blocks = {{.id = 0, .relation = map, .block = 0, .image = image_of(checked)},
                                 {.id = 1, .relation = table, .block = 1}},
                      .main_data = main};
    record.blocks[0].image->apply = false;
    return record;
  };
  // The server knows bits of blocks 0 to 3 (byte 24); the record is about block 1.
  const auto with_bits = [&](std::uint8_t bits) {
    page_bytes page = blank;
    page[24] = bits;
    return page;
  };
  for (const bool left_out : {true, false}) {
    verification run({.has_base = true});
    run.verifier.add_base_page(table, 1, page_with(1, 1));
    if (left_out)
      run.add({.manager = resource_manager::xlog,
               .info = 0xB0,
               .blocks = {{.id = 0, .relation = map, .block = 0, .image = image_of(blank, 24, 8168)}}});
    else
      run.verifier.add_base_page(map, 0, blank);
    run.add(visible(with_bits(0x0F)));
    BOOST_TEST(run.found.mismatches == (left_out ? 0u : 1u));
    BOOST_TEST(run.found.map_pages_left_out == (left_out ? 1u : 0u));
    // From then on the page is known.
    const auto before = run.found.mismatches;
    run.add(visible(with_bits(0x3F)));
    BOOST_TEST(run.found.mismatches == before + 1);
  }
  // A bit that the record sets is missing on the server's page: no left-out map explains that.
  verification run({.has_base = true});
  run.verifier.add_base_page(table, 1, page_with(1, 1));
  run.add({.manager = resource_manager::xlog,
           .info = 0xB0,
           .blocks = {{.id = 0, .relation = map, .block = 0, .image = image_of(blank, 24, 8168)}}});
  run.add(visible(with_bits(0x33)));
  BOOST_TEST(run.found.map_pages_left_out == 0u);
}

BOOST_AUTO_TEST_CASE(wal_that_begins_inside_a_segment_is_read_from_there) {
  constexpr std::uint32_t segment = 1u << 20;
  constexpr std::uint64_t page = 8192;
  for (const std::uint64_t offset : {std::uint64_t{40}, std::uint64_t{48}, std::uint64_t{8000}, page, page + 24,
                                     page + 4096, 100 * page - 8, 100 * page - 64, 100 * page, 127 * page + 8000}) {
    BOOST_TEST_CONTEXT("offset " << offset) {
      const core::lsn position = pg::files::normalise_position(core::lsn(5 * segment + offset), segment);
      const auto made = pg::files::start_segments({.position = position,
                                                   .previous = position - 64,
                                                   .counters = {},
                                                   .system_id = 4711,
                                                   .segment_size = segment});
      BOOST_REQUIRE(made.has_value());
      const temp_dir directory;
      for (const auto& each : made->segments) {
        const core::bytes bytes = each.read(0, each.size);
        std::ofstream(directory / each.name, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      }
      const auto opened = open_wal_directory(directory.path());
      BOOST_REQUIRE(opened.has_value());
      verification run;
      const auto done = replay(*opened, {}, {}, run.verifier);
      BOOST_REQUIRE(done.has_value());
      BOOST_TEST(done->start.value == made->record_start.value);
      BOOST_TEST(run.found.total().records == 1u);
      const auto sampled = has_check_images(*opened, {});
      BOOST_REQUIRE(sampled.has_value());
      BOOST_TEST(!*sampled);
    }
  }
}

BOOST_AUTO_TEST_CASE(dropped_and_cut_relations_lose_their_pages) {
  page_pool pool(100000);
  for (const pg::block_number block : {0u, 1u, 1023u, 1024u, 5000u}) BOOST_REQUIRE(pool.make(table, block) != nullptr);
  pool.truncate(table, 1023);
  BOOST_TEST(pool.size() == 2u);
  BOOST_TEST(pool.find(table, 1) != nullptr);
  BOOST_TEST(pool.find(table, 1023) == nullptr);
  BOOST_TEST(pool.find(table, 5000) == nullptr);
  BOOST_REQUIRE(pool.copy_database(1663, 5, 1663, 6));
  BOOST_TEST(pool.size() == 4u);
  pool.drop_database(1663, 5);
  BOOST_TEST(pool.size() == 2u);
  BOOST_TEST(pool.find({1663, 6, 16384, pg::fork::main}, 0) != nullptr);
}

BOOST_AUTO_TEST_CASE(a_wild_block_number_costs_no_memory_of_its_size) {
  page_pool pool(10);
  BOOST_TEST(pool.make(table, pg::invalid_block - 1) != nullptr);
  BOOST_TEST(pool.find(table, pg::invalid_block - 1) != nullptr);
  pool.truncate(table, pg::invalid_block - 1);
  BOOST_TEST(pool.size() == 0u);
}

BOOST_AUTO_TEST_CASE(differences_name_ranges_of_bytes) {
  page_bytes ours{}, theirs{};
  BOOST_TEST(describe_difference(ours, theirs) == "no difference");
  theirs[40] = theirs[41] = theirs[42] = theirs[100] = 7;
  const std::string told = describe_difference(ours, theirs);
  BOOST_TEST(told.starts_with("bytes 40-42, 100;"), told);
  for (std::size_t at = 0; at < pg::page_size; at += 2) theirs[at] = 7;
  BOOST_TEST(describe_difference(ours, theirs).find(" more") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_archive_says_itself_what_it_is) {
  const temp_dir archive;
  wal_builder stream({.segment_size = 1u << 20, .system_id = 99});
  stream.append(insert(1, 9));
  stream.append_switch();
  stream.append(insert(2, 9));
  const core::bytes& bytes = stream.stream();
  for (std::size_t begin = 0; begin < bytes.size(); begin += 1u << 20) {
    const std::uint64_t number = (stream.start().value + begin) >> 20;
    char name[25];
    std::snprintf(name, sizeof name, "00000001%08X%08X", static_cast<unsigned>(number >> 12),
                  static_cast<unsigned>(number & 0xFFF));
    std::ofstream(archive / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data() + begin),
               static_cast<std::streamsize>(std::min<std::size_t>(1u << 20, bytes.size() - begin)));
  }
  const auto opened = open_wal_directory(archive.path());
  BOOST_REQUIRE(opened.has_value());
  BOOST_TEST(opened->segment_size == 1u << 20);
  BOOST_TEST(opened->system_id == 99u);
  verification run;
  const auto done = replay(*opened, {}, {}, run.verifier);
  BOOST_REQUIRE(done.has_value());
  BOOST_TEST((done->start == core::lsn(pg::default_wal_segment_size + 40)));
  BOOST_TEST((done->end == stream.position()));
  BOOST_TEST(run.found.total().redone == 2u);
  BOOST_TEST(!has_check_images(*opened, {}).value());

  BOOST_TEST(open_wal_directory(archive.path() / "nothing").error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_SUITE_END()
