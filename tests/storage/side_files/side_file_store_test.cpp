#include "storage/side_files/side_file_store.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "storage/side_files/side_file_content.hpp"
#include "storage/side_files/side_file_rules.hpp"
#include "tests/storage/timeline/store_fixture.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {
namespace {

using namespace storage;
namespace fs = std::filesystem;

const std::string settings = "postgresql.auto.conf";

core::bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

struct with_side_files : store_fixture {
  with_side_files() : main(create(core::lsn(100))) {}

  static core::result<void> try_put(timeline_store& to, const std::string& content, std::uint64_t at,
                                    std::uint64_t term = 1, bool proven = false, const std::string& name = settings) {
    return to.side_files()->put({{.name = name, .content = bytes_of(content), .proven = proven}}, core::lsn(at), term);
  }
  static void store(timeline_store& to, const std::string& content, std::uint64_t at, std::uint64_t term = 1,
                    bool proven = false) {
    expect(try_put(to, content, at, term, proven));
  }
  /// "-" without one, the error when it is damaged.
  static std::string content(const timeline_store& of, std::uint64_t at, bool proven_only = false,
                             const std::string& name = settings) {
    for (const side_file& each : of.side_files()->read(core::lsn(at), proven_only))
      if (each.record.name == name)
        return each.content ? std::string(each.content->begin(), each.content->end()) : each.content.error().detail;
    return "-";
  }
  std::shared_ptr<timeline_store> branch(const std::shared_ptr<timeline_store>& from, std::uint64_t at) {
    auto record = new_record(core::lsn(at));
    record.name = "child";
    record.ancestor = from->record().id;
    record.ancestor_lsn = core::lsn(at);
    expect(metadata->put_timeline(record));
    return open(record, from);
  }
  fs::path file_of(const timeline_store& of, const side_file_record& version) const {
    return fs::path(directory_of(of.record().id)) / "side_files" / side_file_name(version);
  }
  std::shared_ptr<timeline_store> reopened(std::shared_ptr<timeline_store>& store) {
    const auto id = store->record().id;
    store.reset();
    close_server();
    open_server();
    return open(stored(id));
  }

  std::shared_ptr<timeline_store> main;
};

BOOST_FIXTURE_TEST_SUITE(storage_side_files_store, with_side_files)

BOOST_AUTO_TEST_CASE(versions_are_read_by_lsn_and_survive_a_restart) {
  BOOST_TEST(content(*main, 1000) == "-");
  store(*main, "a = 1\n", 200);
  store(*main, "a = 2\n", 300, 1, true);
  store(*main, std::string(10'000, 'x'), 300);
  main = reopened(main);
  BOOST_TEST(content(*main, 199) == "-");
  BOOST_TEST(content(*main, 200) == "a = 1\n");
  BOOST_TEST(content(*main, 300) == std::string(10'000, 'x'));
  BOOST_TEST(content(*main, 300, true) == "a = 2\n");
  // The next number is not one that was used.
  store(*main, "a = 4\n", 400);
  BOOST_TEST(main->side_files()->versions().back().number == 4u);
}

BOOST_AUTO_TEST_CASE(the_same_content_again_is_no_new_version_but_may_prove_it) {
  store(*main, "a = 1\n", 200);
  store(*main, "a = 1\n", 300);
  BOOST_TEST(main->side_files()->versions().size() == 1u);
  BOOST_TEST(content(*main, 300, true) == "-");
  store(*main, "a = 1\n", 400, 2, true);
  BOOST_TEST(main->side_files()->versions().size() == 1u);
  BOOST_TEST(content(*main, 300, true) == "a = 1\n");
  main = reopened(main);
  BOOST_TEST(content(*main, 300, true) == "a = 1\n");
}

BOOST_AUTO_TEST_CASE(a_version_never_holds_before_an_older_one) {
  store(*main, "a = 1\n", 300);
  store(*main, "a = 2\n", 200);
  BOOST_TEST(content(*main, 200) == "-");
  BOOST_TEST(content(*main, 300) == "a = 2\n");
}

BOOST_AUTO_TEST_CASE(an_earlier_writer_stores_nothing_once_a_later_one_has_read_or_written) {
  store(*main, "of 3\n", 200, 3);
  const auto refused = try_put(*main, "of 2\n", 300, 2);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == core::errc::conflict));
  main->side_files()->fence(5);
  BOOST_TEST(!try_put(*main, "of 4\n", 300, 4));
  BOOST_TEST(content(*main, 300) == "of 3\n");
  store(*main, "of 5\n", 300, 5);
  // What a later writer has stored is protected after a restart, too.
  main = reopened(main);
  BOOST_TEST(!try_put(*main, "of 4\n", 400, 4));
  BOOST_TEST(content(*main, 400) == "of 5\n");
}

BOOST_AUTO_TEST_CASE(a_branch_has_what_held_at_its_branch_point_until_it_has_its_own) {
  store(*main, "a = 1\n", 200, 7, true);
  store(*main, "a = 2\n", 300, 7);
  auto child = branch(main, 250);
  auto grandchild = branch(child, 250);
  store(*main, "a = 3\n", 250, 7);
  BOOST_TEST(content(*grandchild, 1000) == "a = 1\n");
  BOOST_TEST(content(*grandchild, 1000, true) == "a = 1\n");
  // The terms of a branch are its own.
  store(*child, "of the child\n", 260, 1);
  BOOST_TEST(content(*child, 259) == "a = 1\n");
  BOOST_TEST(content(*child, 1000) == "of the child\n");
  BOOST_TEST(content(*grandchild, 1000) == "a = 1\n");
  BOOST_TEST(content(*main, 1000) == "a = 3\n");
}

BOOST_AUTO_TEST_CASE(what_a_branch_has_inherited_does_not_change) {
  store(*main, "before\n", 200);
  const auto child = branch(main, 300);
  // The parent has written no WAL since.
  store(*main, "after\n", 300);
  BOOST_TEST(content(*child, 1000) == "before\n");
  BOOST_TEST(content(*main, 1000) == "after\n");
}

BOOST_AUTO_TEST_CASE(a_collection_keeps_what_branches_need) {
  store(*main, "a = 1\n", 200);
  store(*main, "a = 2\n", 300);
  store(*main, "a = 3\n", 400);
  store(*main, "a = 4\n", 500);
  auto child = branch(main, 250);
  const auto first = main->side_files()->versions().front();
  BOOST_TEST(expect(main->side_files()->collect(core::lsn(450), {})) == 1u);
  BOOST_TEST(content(*child, 1000) == "a = 1\n");
  BOOST_TEST(content(*main, 450) == "a = 3\n");
  BOOST_TEST(fs::exists(file_of(*main, first)));
  child.reset();
  BOOST_TEST(expect(main->side_files()->collect(core::lsn(450), {})) == 1u);
  BOOST_TEST(!fs::exists(file_of(*main, first)));
  BOOST_TEST(content(*main, 450) == "a = 3\n");
}

BOOST_AUTO_TEST_CASE(damage_is_reported_and_no_other_version_is_given_in_its_place) {
  store(*main, "a = 1\n", 200, 1, true);
  store(*main, std::string(5000, 'y') + "\n", 300);
  const auto newest = main->side_files()->versions().back();
  const fs::path path = file_of(*main, newest);
  std::string whole;
  {
    std::ifstream file(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto write = [&](const std::string& text) { std::ofstream(path, std::ios::binary | std::ios::trunc) << text; };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    write(flipped);
    BOOST_TEST(content(*main, 1000).starts_with("read side file " + path.string()), "byte " << at);
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, whole.size() - 1}) {
    write(whole.substr(0, size));
    BOOST_TEST(content(*main, 1000).starts_with("read side file"), "size " << size);
  }
  // The file of another version, whole in itself.
  fs::copy_file(file_of(*main, main->side_files()->versions().front()), path, fs::copy_options::overwrite_existing);
  BOOST_TEST(content(*main, 1000).find("another file") != std::string::npos);
  fs::remove(path);
  BOOST_TEST(content(*main, 1000).find("missing") != std::string::npos);
  BOOST_TEST(content(*main, 1000, true) == "a = 1\n");
  write(whole);
  BOOST_TEST(content(*main, 1000).starts_with("yyy"));
}

BOOST_AUTO_TEST_CASE(names_sizes_and_counts_are_bounded_and_nothing_is_stored_then) {
  const auto limits = limits_of(side_file_kind::settings);
  BOOST_TEST(!try_put(*main, "x", 200, 1, false, "PG_VERSION"));
  BOOST_TEST(!try_put(*main, std::string(limits.size_max + 1, 'x'), 200));
  const auto both = main->side_files()->put({{.name = settings, .content = bytes_of("good"), .proven = false},
                                             {.name = "no", .content = bytes_of("bad"), .proven = false}},
                                            core::lsn(200), 1);
  BOOST_TEST(!both);
  BOOST_TEST(!main->side_files()->put({}, core::lsn(), 1));
  BOOST_TEST(main->side_files()->versions().empty());
  for (std::size_t i = 0; i < side_file_names_max; ++i)
    expect(try_put(*main, "x", 200, 1, false, "pg_stat/db_" + std::to_string(i) + ".stat"));
  const auto full = try_put(*main, "x", 200);
  BOOST_REQUIRE(!full);
  BOOST_TEST((full.error().code == core::errc::busy));
}

BOOST_AUTO_TEST_CASE(versions_above_the_limit_go_with_their_files) {
  const std::size_t versions_max = limits_of(side_file_kind::settings).versions_max;
  for (std::size_t i = 0; i < versions_max + 10; ++i) store(*main, "a = " + std::to_string(i), 1000 + i);
  BOOST_TEST(main->side_files()->versions().size() == versions_max);
  const fs::path directory = fs::path(directory_of(main->record().id)) / "side_files";
  BOOST_TEST(static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), {})) == versions_max);
  BOOST_TEST(content(*main, 100'000) == "a = " + std::to_string(versions_max + 9));
}

BOOST_AUTO_TEST_CASE(a_deleted_timeline_takes_them_along_and_gets_none_afterwards) {
  store(*main, "a = 1\n", 200);
  const auto id = main->record().id;
  fs::remove_all(directory_of(id));
  BOOST_TEST(!try_put(*main, "a = 2\n", 300));
  BOOST_TEST(!fs::exists(directory_of(id)));
  expect(metadata->delete_timeline(tenant, id));
  BOOST_TEST(expect(metadata->side_files(tenant, id)).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
