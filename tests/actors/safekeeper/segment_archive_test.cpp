#include "actors/safekeeper/segment_archive.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <source_location>
#include <vector>

#include "tests/actors/safekeeper/journal_home.hpp"
#include "tests/support/held_jobs.hpp"

namespace strata::actors::safekeeper {
namespace {

namespace fs = std::filesystem;
using core::errc;
using core::lsn;
using calls = std::vector<std::string>;

constexpr std::uint32_t segment_size = tests::journal_home::segment_size;
constexpr lsn segment(std::uint64_t number) { return lsn(number * segment_size); }

core::bytes content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct with_archive : tests::journal_home {
  explicit with_archive(lsn start = segment(1)) : journal_home(start) {
    fs::create_directory(place);
    elect();
  }

  [[nodiscard]] journal::timeline_situation situation() const {
    return {.position = view->position(),
            .timeline = key.timeline,
            .self = self,
            .segment_size = segment_size,
            .has_backup = true,
            .proposer_here = true,
            .now = {},
            .peers = {}};
  }
  /// What the acceptor does with a report: `to` is in object storage, and read by the pageserver and every member.
  void stored_to(lsn to) const {
    BOOST_TEST_REQUIRE(view->journal()->tell(consensus::timeline_news{.backup_lsn = to}));
  }
  void not_needed_before(lsn to) const {
    BOOST_TEST_REQUIRE(view->journal()->tell(consensus::timeline_news{.peer_horizon = to, .remote_consistent = to}));
  }
  [[nodiscard]] fs::path directory() const {
    return place / core::to_string(key.tenant) / core::to_string(key.timeline);
  }
  [[nodiscard]] fs::path path_of(std::uint64_t number) const {
    return directory() / ("00000001000000000000000" + std::to_string(number));
  }
  /// Names in object storage.
  [[nodiscard]] calls names() const {
    calls found;
    for (const auto& file : fs::directory_iterator(directory())) found.push_back(file.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }
  [[nodiscard]] core::bytes wal_of(std::uint64_t number) {
    const auto bytes = core::bytes_view(wal.stream()).subspan(segment(number) - wal.start(), segment_size);
    return {bytes.begin(), bytes.end()};
  }
  void store_all() {
    for (archive.store_next(situation()); jobs.count() > 0; archive.store_next(situation())) {
      jobs.finish();
      stored_to(last_stored);
    }
    heard.clear();
  }
  void expect(const calls& expected, const std::source_location& where = std::source_location::current()) {
    BOOST_TEST_CONTEXT("line " << where.line())
    BOOST_TEST(std::exchange(heard, {}) == expected, boost::test_tools::per_element());
  }

  fs::path place = home / "object storage";
  std::shared_ptr<const journal::wal_archive> storage =
      std::make_shared<journal::wal_archive>(io::real_disk(), place.string(), self);
  tests::held_jobs jobs;
  calls heard;
  lsn last_stored;
  std::optional<core::error> last_error;
  segment_archive archive{storage,
                          view,
                          jobs.jobs(),
                          {.stored =
                               [this](lsn end) {
                                 last_stored = end;
                                 heard.push_back("stored to " + to_string(end));
                               },
                           .not_stored =
                               [this](const core::error& why) {
                                 last_error = why;
                                 heard.emplace_back("not stored");
                               },
                           .not_removed =
                               [this](const core::error& why) {
                                 last_error = why;
                                 heard.emplace_back("not removed");
                               }}};
};

struct with_a_start_in_a_segment : with_archive {
  with_a_start_in_a_segment() : with_archive(segment(1) + std::uint64_t{8192} * 3) {}
};

BOOST_FIXTURE_TEST_SUITE(actors_safekeeper_segment_archive, with_archive)

BOOST_AUTO_TEST_CASE(without_object_storage_nothing_is_stored_and_nothing_removed) {
  commit_into(3);
  segment_archive none(nullptr, view, jobs.jobs(), {});
  BOOST_TEST(!none.exists());
  auto without = situation();
  without.has_backup = false;
  none.store_next(without);
  stored_to(segment(3));
  not_needed_before(segment(3));
  none.trim(situation());
  BOOST_TEST(jobs.count() == 0u);
  BOOST_TEST(archive.exists());
}

BOOST_AUTO_TEST_CASE(whole_committed_segments_are_stored_one_at_a_time_byte_for_byte) {
  archive.store_next(situation());
  BOOST_TEST(jobs.count() == 0u);
  commit_into(3);
  archive.store_next(situation());
  archive.store_next(situation());
  BOOST_TEST(jobs.count() == 1u);
  jobs.work();
  archive.store_next(situation());
  BOOST_TEST(jobs.count() == 1u);
  jobs.report();
  expect({"stored to " + to_string(segment(2))});
  BOOST_TEST((content_of(path_of(1)) == wal_of(1)));
  stored_to(segment(2));
  archive.store_next(situation());
  jobs.finish();
  expect({"stored to " + to_string(segment(3))});
  BOOST_TEST((content_of(path_of(2)) == wal_of(2)));
  stored_to(segment(3));
  archive.store_next(situation());
  BOOST_TEST(jobs.count() == 0u);
  BOOST_TEST(names().size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(the_segment_that_a_timeline_begins_in_is_stored_whole, with_a_start_in_a_segment) {
  commit_into(2);
  archive.store_next(situation());
  jobs.finish();
  expect({"stored to " + to_string(segment(2))});
  const auto stored = content_of(path_of(1));
  BOOST_REQUIRE(stored.size() == segment_size);
  const auto prefix = journal::unwritten_prefix(view->journal()->state());
  BOOST_TEST((core::bytes_view(stored).first(prefix.size()).size() == wal.start() - segment(1)));
  BOOST_TEST(std::equal(prefix.begin(), prefix.end(), stored.begin()));
  BOOST_TEST(
      std::equal(stored.begin() + static_cast<std::ptrdiff_t>(prefix.size()), stored.end(), wal.stream().begin()));
}

BOOST_AUTO_TEST_CASE(a_segment_stored_again_before_its_position_moves_has_the_same_bytes) {
  commit_into(2);
  archive.store_next(situation());
  jobs.finish();
  archive.store_next(situation());  // the position is not known yet
  jobs.finish();
  BOOST_TEST(heard.size() == 2u);
  BOOST_TEST((content_of(path_of(1)) == wal_of(1)));
  BOOST_TEST(names().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_segment_that_could_not_be_stored_is_stored_by_a_later_attempt) {
  commit_into(2);
  fs::remove(place);
  archive.store_next(situation());
  jobs.finish();
  expect({"not stored"});
  BOOST_TEST(last_error->detail.find(place.string()) != std::string::npos, last_error->detail);
  BOOST_TEST(jobs.count() == 0u);
  fs::create_directory(place);
  archive.store_next(situation());
  jobs.finish();
  expect({"stored to " + to_string(segment(2))});
  BOOST_TEST((content_of(path_of(1)) == wal_of(1)));
}

BOOST_AUTO_TEST_CASE(a_file_in_the_place_of_a_directory_is_an_error_and_stays) {
  commit_into(2);
  std::ofstream(place / core::to_string(key.tenant)) << "not ours";
  archive.store_next(situation());
  jobs.finish();
  expect({"not stored"});
  BOOST_TEST(content_of(place / core::to_string(key.tenant)).size() == 8u);
}

BOOST_AUTO_TEST_CASE(a_segment_whose_wal_is_missing_here_appears_under_no_name) {
  commit_into(4);
  // The first segments are gone from this disk, as after a removal that object storage was not told of.
  stored_to(segment(3));
  not_needed_before(segment(3));
  BOOST_TEST_REQUIRE(view->journal()->save_positions());
  BOOST_TEST_REQUIRE(view->journal()->remove_wal_before(segment(3)));
  auto old = situation();
  old.position.backup_lsn = old.position.local_start = segment(1);
  archive.store_next(old);
  jobs.finish();
  expect({"not stored"});
  BOOST_TEST(last_error->code == errc::out_of_range);
  BOOST_TEST(last_error->detail.find("no longer on this safekeeper") != std::string::npos, last_error->detail);
  BOOST_TEST(!fs::exists(path_of(1)));
  // What the attempt has left goes with the next removal.
  archive.trim(situation());
  jobs.finish();
  expect({});
  BOOST_TEST(names().empty());
}

BOOST_AUTO_TEST_CASE(the_half_file_of_a_killed_safekeeper_is_replaced) {
  commit_into(2);
  fs::create_directories(directory());
  std::ofstream(path_of(1).string() + ".1.tmp") << "half";
  archive.store_next(situation());
  jobs.finish();
  BOOST_TEST((content_of(path_of(1)) == wal_of(1)));
  BOOST_TEST(names().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_short_segment_of_an_earlier_attempt_is_replaced_by_the_whole_one) {
  commit_into(2);
  fs::create_directories(directory());
  std::ofstream(path_of(1)) << "short";
  archive.store_next(situation());
  jobs.finish();
  BOOST_TEST((content_of(path_of(1)) == wal_of(1)));
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_chosen_leaves_nothing_to_store_here) {
  commit_into(2);
  journal::peer_report peer;
  peer.info = {.safekeeper = 2,
               .commit_lsn = view->position().commit_lsn,
               .local_start_lsn = view->position().local_start,
               .wal_address = "b:2"};
  auto with_peer = situation();
  with_peer.peers = {&peer, 1};
  for (const bool chosen : {true, false}) {
    while ((std::hash<core::timeline_id>{}(with_peer.timeline) % 2 == 0) != chosen) ++with_peer.timeline.value[15];
    archive.store_next(with_peer);
    BOOST_TEST(jobs.count() == (chosen ? 1u : 0u));
    jobs.finish_all();
  }
}

BOOST_AUTO_TEST_CASE(segments_that_nobody_needs_are_removed_once) {
  commit_into(5);
  store_all();
  BOOST_TEST(names().size() == 4u);
  archive.trim(situation());
  BOOST_TEST(jobs.count() == 1u);  // what an earlier process may have left
  jobs.finish();
  BOOST_TEST(names().size() == 4u);
  not_needed_before(segment(3) + 8);
  archive.trim(situation());
  jobs.finish();
  BOOST_TEST(names().size() == 2u);
  BOOST_TEST(fs::exists(path_of(3)));
  archive.trim(situation());
  BOOST_TEST(jobs.count() == 0u);
  not_needed_before(segment(4) - 8);  // its segment is needed still
  archive.trim(situation());
  BOOST_TEST(jobs.count() == 0u);
  not_needed_before(segment(4));
  archive.trim(situation());
  jobs.finish();
  BOOST_TEST(names().size() == 1u);
  expect({});
}

BOOST_AUTO_TEST_CASE(only_segments_of_this_timeline_and_half_files_of_this_safekeeper_are_removed) {
  commit_into(3);
  store_all();
  const fs::path other = directory().parent_path() / core::to_string(core::make_id<core::timeline_id>());
  fs::create_directory(other);
  fs::copy_file(path_of(1), other / path_of(1).filename());
  for (const char* name : {"000000010000000000000001.1.tmp", "000000010000000000000009.1.tmp",
                           "000000010000000000000001.2.tmp", "000000010000000000000001.partial", "notes"})
    std::ofstream(directory() / name) << "x";
  not_needed_before(segment(2));
  archive.trim(situation());
  jobs.finish();
  const calls kept = names();
  const calls expected{"000000010000000000000001.2.tmp", "000000010000000000000001.partial", "000000010000000000000002",
                       "notes"};
  BOOST_TEST(kept == expected, boost::test_tools::per_element());
  BOOST_TEST(fs::exists(other / path_of(1).filename()));
}

BOOST_AUTO_TEST_CASE(storing_and_removing_take_turns) {
  commit_into(3);
  archive.store_next(situation());
  archive.trim(situation());
  BOOST_TEST(jobs.count() == 1u);
  jobs.finish();
  stored_to(segment(2));
  not_needed_before(segment(2));
  archive.trim(situation());
  archive.store_next(situation());
  archive.trim(situation());
  BOOST_TEST(jobs.count() == 1u);
  BOOST_TEST(jobs.name() == "remove segments from object storage");
  jobs.finish();
  archive.store_next(situation());
  BOOST_TEST(jobs.name() == "store a segment in object storage");
  jobs.finish();
  BOOST_TEST(names().size() == 1u);
  BOOST_TEST(fs::exists(path_of(2)));
}

BOOST_AUTO_TEST_CASE(a_removal_that_fails_is_reported_and_tried_again) {
  commit_into(3);
  store_all();
  not_needed_before(segment(2));
  // A directory is no segment, and can't be removed as one.
  const calls before = names();
  fs::rename(path_of(1), home / "aside");
  fs::create_directories(path_of(1) / "in the way");
  archive.trim(situation());
  jobs.finish();
  expect({"not removed"});
  BOOST_TEST(last_error->detail.find(path_of(1).string()) != std::string::npos, last_error->detail);
  fs::remove_all(path_of(1));
  fs::rename(home / "aside", path_of(1));
  BOOST_TEST(names() == before, boost::test_tools::per_element());
  archive.trim(situation());
  jobs.finish();
  expect({});
  BOOST_TEST(names().size() == 1u);
}

BOOST_AUTO_TEST_CASE(nothing_to_remove_in_an_object_storage_that_is_empty_is_no_error) {
  commit_into(3);
  stored_to(segment(3));
  not_needed_before(segment(3));
  archive.trim(situation());
  jobs.finish();
  expect({});
  BOOST_TEST(!fs::exists(directory()));
  archive.trim(situation());
  BOOST_TEST(jobs.count() == 0u);
}

BOOST_AUTO_TEST_CASE(a_timeline_without_wal_has_nothing_to_store_or_remove) {
  auto fresh = situation();
  fresh.segment_size = 0;
  archive.store_next(fresh);
  archive.trim(fresh);
  BOOST_TEST(jobs.count() == 0u);
}

BOOST_AUTO_TEST_CASE(a_stored_segment_is_read_and_a_missing_one_or_that_of_another_timeline_is_not_found) {
  commit_into(3);
  archive.store_next(situation());
  jobs.finish();
  core::bytes piece(3 * 8192);
  const auto got = storage->read(*view, segment(1) + 4096, piece);
  BOOST_TEST_REQUIRE(got);
  BOOST_TEST(*got == piece.size());
  BOOST_TEST(std::equal(piece.begin(), piece.end(), wal.stream().begin() + 4096));
  BOOST_TEST(storage->read(*view, segment(2) - 100, piece).value() == 100u);  // up to the segment's end
  BOOST_TEST(storage->read(*view, segment(2), piece).error().code == errc::not_found);
  const journal::timeline_view other({key.tenant, core::make_id<core::timeline_id>()}, view->journal());
  BOOST_TEST(storage->read(other, segment(1), piece).error().code == errc::not_found);
  fs::remove(path_of(1));
  BOOST_TEST(storage->read(*view, segment(1), piece).error().code == errc::not_found);
}

BOOST_AUTO_TEST_CASE(of_a_short_segment_is_read_what_there_is_and_nothing_after_it) {
  commit_into(2);
  archive.store_next(situation());
  jobs.finish();
  fs::resize_file(path_of(1), 10'000);
  core::bytes piece(8192);
  BOOST_TEST(storage->read(*view, segment(1), piece).value() == 8192u);
  BOOST_TEST(storage->read(*view, segment(1) + 8192, piece).value() == 10'000u - 8192);
  BOOST_TEST(storage->read(*view, segment(1) + 10'000, piece).value() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::actors::safekeeper
