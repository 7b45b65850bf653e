#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <csignal>
#include <functional>
#include <map>

#include "storage/metadata/identity_file.hpp"
#include "storage/metadata/metadata_database.hpp"
#include "storage/metadata/metadata_rebuild.hpp"
#include "tests/storage/metadata/metadata_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

namespace fs = std::filesystem;

struct fixture : tests::metadata_fixture {
  fixture() {
    const auto store = open();
    fill(*store, bank, "bank");
    fill(*store, shop, "shop");
    of_bank = content(*store, bank.id);
    of_shop = content(*store, shop.id);
  }
  void check_refused(const std::string& what) const {
    const auto opened = try_open();
    BOOST_TEST_REQUIRE(!opened.has_value(), what);
    BOOST_TEST((opened.error().code == core::errc::corrupt), what << ": " << opened.error().detail);
    BOOST_TEST(opened.error().detail.find(home.string()) != std::string::npos, opened.error().detail);
  }
  /// The bank serves; all that is asked for of the shop fails with the reason.
  void check_shop_is_damaged() {
    const auto store = open();
    BOOST_TEST_REQUIRE(store->damaged().size() == 1u);
    BOOST_TEST((store->damaged().front().id == shop.id));
    BOOST_TEST(store->damaged().front().name == "shop");
    BOOST_TEST(store->damaged().front().why.code == core::errc::corrupt);
    BOOST_TEST(content(*store, bank.id) == of_bank);
    BOOST_TEST(store->tenants()->size() == 1u);
    BOOST_TEST(!store->timelines(shop.id).has_value());
    BOOST_TEST(!store->layers(shop.id, shop.main).has_value());
    BOOST_TEST(!store->apply(shop.id, shop.main, {.gc_cutoff = core::lsn(9)}).has_value());
    BOOST_TEST(!store->put_tenant({shop.id, "shop", core::generation(1), "{}"}).has_value());
    BOOST_TEST(!store->delete_timeline(shop.id, shop.dev).has_value());
    flush(*store, bank, 3);
    of_bank = content(*store, bank.id);
  }
  /// Without the lock, which every opening writes.
  [[nodiscard]] std::map<std::string, std::string> all_files() const {
    std::map<std::string, std::string> all;
    for (const auto& each : fs::recursive_directory_iterator(home))
      if (each.is_regular_file() && each.path().filename() != "strata.lock")
        all[each.path().string()] = read(each.path());
    return all;
  }
  [[nodiscard]] std::size_t kept() const {
    std::size_t count = 0;
    for (const auto& each : fs::directory_iterator(home))
      if (each.path().filename().string().starts_with("damaged-")) ++count;
    return count;
  }

  std::string of_bank;
  std::string of_shop;
};

/// Runs `work` in a process of its own and gives back how it ended.
template <class Work>
int status_of_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    // Boost.Test has a handler of its own.
    std::signal(SIGABRT, SIG_DFL);
    work();
    ::_exit(0);
  }
  int status = 0;
  BOOST_TEST_REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}
bool aborted(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_metadata_damage, fixture)

BOOST_AUTO_TEST_CASE(a_log_that_lost_its_last_edit_breaks_the_tenant_of_that_edit) {
  const fs::path log = database_file(".log");
  const std::string whole = read(log);
  const std::string cut = whole.substr(0, whole.size() - 1);
  write(log, cut);
  check_shop_is_damaged();
  // Opening for writing has replaced RocksDB's log; the one that was found is kept, once, however often it is opened.
  BOOST_TEST(kept() == 1u);
  bool found = false;
  for (const auto& each : fs::recursive_directory_iterator(home))
    found = found || (each.is_regular_file() && each.path().filename() == log.filename() && read(each.path()) == cut);
  BOOST_TEST(found);
  check_shop_is_damaged();
  BOOST_TEST(kept() == 1u);
}

BOOST_AUTO_TEST_CASE(damage_after_one_that_was_mended_is_kept_too) {
  const fs::path log = database_file(".log");
  const std::string whole = read(log);
  fs::copy(home, directory / "whole", fs::copy_options::recursive);
  write(log, whole.substr(0, whole.size() - 1));
  check_shop_is_damaged();
  BOOST_TEST(kept() == 1u);
  // As somebody does who has a copy of the metadata: damage that is kept stays where it is.
  for (const char* each : {"metadata", "seals"}) {
    fs::remove_all(home / each);
    fs::copy(directory / "whole" / each, home / each, fs::copy_options::recursive);
  }
  fs::remove_all(copies);
  BOOST_TEST(open()->damaged().empty());
  BOOST_TEST(kept() == 1u);
  fs::remove(seal_of(shop.id));
  {
    const auto store = open();
    BOOST_TEST(is_damaged(*store, shop.id));
  }
  BOOST_TEST(kept() == 2u);
}

BOOST_AUTO_TEST_CASE(a_record_of_the_log_that_says_another_type_or_length_is_damage) {
  // In front of each record: checksum u32, length u16, type u8. A type of 5 was taken for the log's end.
  const fs::path log = database_file(".log");
  const std::string whole = read(log);
  std::size_t records = 0;
  for (std::size_t at = 0; at + 7 < whole.size(); ++records) {
    const std::size_t length =
        static_cast<std::uint8_t>(whole[at + 4]) + 256u * static_cast<std::uint8_t>(whole[at + 5]);
    for (const std::size_t byte : {at + 4, at + 6}) {
      fs::copy(home, directory / "work", fs::copy_options::recursive);
      std::string wrong = whole;
      wrong[byte] = static_cast<char>(wrong[byte] ^ 4);
      write(log, wrong);
      const auto store = try_open();
      BOOST_TEST_REQUIRE(store);
      const bool first_half = is_damaged(**store, bank.id);
      BOOST_TEST(is_damaged(**store, shop.id), "byte " << byte);
      if (!first_half) BOOST_TEST(content(**store, bank.id) == of_bank);
      fs::remove_all(home);
      fs::rename(directory / "work", home);
    }
    at += 7 + length;
  }
  BOOST_TEST(records >= 10u);
}

BOOST_AUTO_TEST_CASE(a_log_that_is_gone_breaks_all_who_had_edits_in_it) {
  fs::remove(database_file(".log"));
  const auto store = open();
  BOOST_TEST(store->damaged().size() == 2u);
  BOOST_TEST(store->tenants()->empty());
}

BOOST_AUTO_TEST_CASE(a_manifest_that_is_gone_or_cut_is_refused_or_the_tenants_are_broken) {
  open();
  const fs::path manifest = database_file(fs::path(read(database() / "CURRENT")).stem().string().substr(0, 15));
  const std::string whole = read(manifest);
  fs::remove(manifest);
  check_refused("no manifest");
  for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 20) {
    fs::remove_all(directory / "work");
    fs::copy(home, directory / "work", fs::copy_options::recursive);
    write(manifest, whole.substr(0, size));
    if (const auto store = try_open()) {
      BOOST_TEST((is_damaged(**store, shop.id) || content(**store, shop.id) == of_shop), "cut at " << size);
      BOOST_TEST((is_damaged(**store, bank.id) || content(**store, bank.id) == of_bank), "cut at " << size);
    }
    fs::remove_all(home);
    fs::rename(directory / "work", home);
  }
}

BOOST_AUTO_TEST_CASE(metadata_that_is_gone_is_not_made_anew_beside_what_it_told_of) {
  fs::rename(database(), directory / "away");
  check_refused("no RocksDB");
  BOOST_TEST(!fs::exists(database()));
  fs::rename(home, directory / "all");
  const auto opened = try_open();
  BOOST_TEST_REQUIRE(!opened.has_value());
  BOOST_TEST(opened.error().code == core::errc::corrupt);
  BOOST_TEST(opened.error().detail.find("tenant.copy") != std::string::npos, opened.error().detail);
}

BOOST_AUTO_TEST_CASE(a_seal_that_is_missing_or_damaged_breaks_its_tenant) {
  const fs::path seal = seal_of(shop.id);
  const std::string whole = read(seal);
  fs::remove(seal);
  check_shop_is_damaged();
  write(seal, "");
  check_shop_is_damaged();
  write(seal, std::string(8192, '\0'));
  check_shop_is_damaged();
  write(seal, read(seal_of(bank.id)));
  check_shop_is_damaged();
  BOOST_TEST(kept() == 1u);
  // One of its two places is enough: an edit may have been torn in the other.
  for (const std::size_t place : {0u, 4096u}) {
    std::string half = whole;
    std::fill_n(half.begin() + static_cast<std::ptrdiff_t>(place), 4096, '\0');
    write(seal, half);
    const auto store = open();
    BOOST_TEST(store->damaged().empty() == (place == 0 || of_shop == content(*store, shop.id)));
    if (store->damaged().empty()) BOOST_TEST(content(*store, shop.id) == of_shop);
  }
}

BOOST_AUTO_TEST_CASE(older_metadata_that_is_whole_in_itself_is_noticed_by_the_copies) {
  fs::copy(home, directory / "older", fs::copy_options::recursive);
  {
    const auto store = open();
    flush(*store, shop, 3);
  }
  fs::remove_all(home);
  fs::rename(directory / "older", home);
  check_shop_is_damaged();
}

BOOST_AUTO_TEST_CASE(copies_that_are_missing_or_damaged_are_written_again) {
  const fs::path of_tenant = copies / core::to_string(shop.id) / "tenant.copy";
  const fs::path of_timeline =
      copies / core::to_string(shop.id) / "timelines" / core::to_string(shop.main) / "timeline.copy";
  const std::string tenant = read(of_tenant);
  const std::string timeline = read(of_timeline);
  fs::remove(of_tenant);
  write(of_timeline, timeline.substr(0, timeline.size() / 2));
  BOOST_TEST(content(*open(), shop.id) == of_shop);
  BOOST_TEST(read(of_tenant).size() == tenant.size());
  BOOST_TEST(read(of_timeline).size() == timeline.size());
}

BOOST_AUTO_TEST_CASE(an_edit_that_a_crash_tore_was_never_acknowledged_and_the_rest_is_whole) {
  const auto snapshot = [&](const char* name) {
    fs::copy(directory / "metadata", directory / name, fs::copy_options::recursive);
  };
  auto store = open();
  flush(*store, bank, 3);
  const std::string bank_before = content(*store, bank.id);
  const std::string log_before = read(database_file(".log"));
  snapshot("crashed");
  flush(*store, shop, 3);
  const std::string after = content(*store, shop.id);
  const fs::path log = database_file(".log");
  const std::string log_after = read(log);
  store.reset();
  fs::remove_all(home);
  fs::remove_all(copies);  // written last
  BOOST_TEST_REQUIRE(log_before.size() < log_after.size());
  std::size_t with_edit = 0;
  for (std::size_t size = log_before.size(); size <= log_after.size(); size += size + 41 < log_after.size() ? 41 : 1) {
    fs::copy(directory / "crashed", home, fs::copy_options::recursive);
    write(log, log_after.substr(0, size));
    const auto opened = open();
    BOOST_TEST(opened->damaged().empty(), "torn at " << size);
    const std::string found = content(*opened, shop.id);
    BOOST_TEST((found == of_shop || found == after), "torn at " << size);
    with_edit += found == after ? 1 : 0;
    BOOST_TEST(content(*opened, bank.id) == bank_before);
    flush(*opened, shop, 4);
    fs::remove_all(home);
    fs::remove_all(copies);
  }
  // RocksDB has it, and the seal is still the one before.
  BOOST_TEST(with_edit == 1u);
}

BOOST_AUTO_TEST_CASE(a_tenant_that_is_removed_leaves_nothing_and_does_not_come_back) {
  {
    const auto store = open();
    BOOST_TEST_REQUIRE(store->delete_timeline(shop.id, shop.dev));
    BOOST_TEST_REQUIRE(store->delete_timeline(shop.id, shop.main));
    BOOST_TEST_REQUIRE(store->delete_tenant(shop.id));
  }
  BOOST_TEST(!fs::exists(seal_of(shop.id)));
  BOOST_TEST(!fs::exists(copies / core::to_string(shop.id) / "tenant.copy"));
  const auto store = open();
  BOOST_TEST(store->damaged().empty());
  BOOST_TEST(store->tenants()->size() == 1u);
  BOOST_TEST(store->timelines(shop.id)->empty());
}

BOOST_AUTO_TEST_CASE(a_directory_of_another_version_is_refused_and_left_as_it_is) {
  for (const std::uint32_t foreign : {directory_version - 1, directory_version + 1}) {
    core::bytes content{'S', 'T', 'R', 'A', 'T', 'A', '\r', '\n'};
    core::append_le(content, foreign);
    core::append_le<std::uint64_t>(content, XXH3_64bits(content.data(), content.size()));
    write(home / "STRATA", {content.begin(), content.end()});
    const auto before = all_files();
    const auto opened = try_open();
    BOOST_TEST_REQUIRE(!opened.has_value());
    BOOST_TEST((opened.error().code == core::errc::unsupported), opened.error().detail);
    const auto rebuilt = rebuild_metadata(home.string(), copies.string(), true);
    BOOST_TEST_REQUIRE(!rebuilt.has_value());
    BOOST_TEST((rebuilt.error().code == core::errc::unsupported), rebuilt.error().detail);
    BOOST_TEST((all_files() == before));
  }
}

BOOST_AUTO_TEST_CASE(a_failed_write_ends_the_process_wherever_it_fails) {
  std::uint32_t generation = 1;
  const auto edited = [&](const std::function<void()>& before_it) {
    ++generation;
    return status_of_child([&] {
      const auto store = try_open();
      if (!store) ::_exit(7);
      before_it();
      (void)(*store)->put_tenant({shop.id, "shop", core::generation(generation), "{}"});
    });
  };
  BOOST_TEST(edited([] {}) == 0);
  BOOST_TEST(aborted(edited([] {
               std::signal(SIGXFSZ, SIG_IGN);
               const rlimit nothing{0, 0};
               ::setrlimit(RLIMIT_FSIZE, &nothing);
             })),
             "RocksDB's log");
  BOOST_TEST(aborted(edited([&] {
               fs::remove(seal_of(shop.id));
               fs::create_directory(seal_of(shop.id));
             })),
             "the seal");
  fs::remove(seal_of(shop.id));
}

BOOST_AUTO_TEST_CASE(a_copy_that_can_not_be_written_is_none_rather_than_an_older_one) {
  const auto store = open();
  const fs::path copy = copies / core::to_string(shop.id) / "tenant.copy";
  fs::create_directories(copy.string() + ".tmp/x");
  BOOST_TEST_REQUIRE(store->put_tenant({shop.id, "shop", core::generation(2), "{}"}));
  BOOST_TEST(!fs::exists(copy));
  fs::remove_all(copy.string() + ".tmp");
  BOOST_TEST_REQUIRE(store->put_tenant({shop.id, "shop", core::generation(3), "{}"}));
  BOOST_TEST(fs::exists(copy));
}

BOOST_AUTO_TEST_SUITE_END()
