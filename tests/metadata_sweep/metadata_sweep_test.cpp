#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>
#include <vector>

#include "tests/storage/metadata/metadata_fixture.hpp"
#include "tests/support/printing.hpp"

/// Every metadata file of a small server, damaged in one way after the other, and opened. There are two right answers:
/// what was stored, or that it is damaged. And what lies beside it stays.
using namespace strata;
using namespace strata::storage;

namespace {

namespace fs = std::filesystem;

/// Flips of the files that are not tried byte by byte, in each of two cases.
constexpr std::size_t random_flips = 2500;
constexpr std::size_t small_file_bytes = 1024;

bool is_log_text(const std::string& name) {
  const std::string file = fs::path(name).filename().string();
  return file == "LOG" || file.starts_with("LOG.old") || file == "LOCK" || file == "strata.lock" || file == "a.delta";
}

/// In memory, where there is such a place: the files are copied some thousand times.
struct in_memory {
  in_memory() {
    if (std::getenv("TMPDIR") == nullptr && fs::is_directory("/dev/shm") &&
        fs::space("/dev/shm").available > std::uint64_t{256} << 20)
      ::setenv("TMPDIR", "/dev/shm", 1);
  }
};

struct fixture : in_memory, tests::metadata_fixture {
  fixture() {
    {
      const auto store = open();
      fill(*store, bank, "bank");
      fill(*store, shop, "shop");
    }
    {
      // What was there is in tables now, and these edits are in the log.
      const auto store = open();
      flush(*store, bank, 3);
      flush(*store, shop, 3);
      BOOST_TEST_REQUIRE(store->delete_timeline(bank.id, bank.dev));
      of_bank = content(*store, bank.id);
      of_shop = content(*store, shop.id);
      // As a kill leaves it: closing would write the log to tables.
      fs::copy(home, directory / "killed", fs::copy_options::recursive);
    }
    fs::remove_all(home);
    fs::rename(directory / "killed", home);
    fs::remove(home / "strata.lock");
    // Beside the copies, what metadata that is older would not name.
    for (const auto& id : {bank.id, shop.id}) write(copies / core::to_string(id) / "a.delta", "layer");
    fs::create_directory(directory / "pristine");
    fs::copy(directory.path() / "metadata", directory / "pristine/metadata", fs::copy_options::recursive);
    fs::copy(directory.path() / "tenants", directory / "pristine/tenants", fs::copy_options::recursive);
    names = list(directory.path());
  }

  /// Files of the metadata and their copies, relative to the directory.
  [[nodiscard]] std::set<std::string> list(const fs::path& in) const {
    std::set<std::string> found;
    for (const char* part : {"metadata", "tenants"})
      for (const auto& each : fs::recursive_directory_iterator(in / part))
        if (each.is_regular_file()) found.insert(fs::relative(each.path(), in).string());
    return found;
  }
  void restore() const {
    for (const char* part : {"metadata", "tenants"}) {
      fs::remove_all(directory / part);
      fs::copy(directory / "pristine" / part, directory / part, fs::copy_options::recursive);
    }
  }

  /// Opens the directory in which `name` has other bytes (none: it is missing), and puts it right again.
  void try_with(const std::string& name, const std::optional<std::string>& bytes, const std::string& what) {
    const fs::path path = directory / name;
    if (bytes)
      write(path, *bytes);
    else
      fs::remove(path);
    ++tried;
    bool changed = false;
    if (const auto opened = try_open()) {
      changed = true;
      const auto check = [&](const one_tenant& of, const std::string& wanted) {
        const bool damaged = is_damaged(**opened, of.id);
        if (damaged) ++broken;
        if (!damaged && content(**opened, of.id) != wanted) fail(what, "another answer");
        if (damaged && (*opened)->timelines(of.id)) fail(what, "a damaged tenant answers");
      };
      check(bank, of_bank);
      check(shop, of_shop);
      if (!(*opened)->damaged().empty() && !is_kept(name, bytes)) fail(what, "the damaged file is not kept");
    } else {
      ++refused;
      const core::errc code = opened.error().code;
      if (code != core::errc::corrupt && code != core::errc::unsupported && code != core::errc::io_error)
        fail(what, "refused as " + core::to_string(opened.error()));
      if (opened.error().detail.find(directory.path().string()) == std::string::npos)
        fail(what, "no file is named: " + opened.error().detail);
    }
    std::set<std::string> gone = changed ? std::set<std::string>() : names;
    for (const auto& each : names)
      if (each.starts_with("tenants/")) gone.insert(each);
    if (!bytes) gone.erase(name);
    for (const auto& each : list(directory.path())) gone.erase(each);
    if (!gone.empty()) fail(what, "removed " + *gone.begin());
    if (changed)
      restore();
    else
      fs::copy_file(directory / "pristine" / name, path, fs::copy_options::overwrite_existing);
  }
  /// RocksDB's own file, or what it was damaged to, is where it was or among what is kept.
  [[nodiscard]] bool is_kept(const std::string& name, const std::optional<std::string>& bytes) const {
    if (!bytes || !name.starts_with("metadata/metadata/")) return true;
    for (const auto& each : fs::directory_iterator(home))
      if (each.is_directory() && fs::exists(each.path() / fs::path(name).filename()) &&
          read(each.path() / fs::path(name).filename()) == *bytes)
        return true;
    return false;
  }
  void fail(const std::string& what, const std::string& why) {
    if (++failures <= 20) BOOST_ERROR(what << ": " << why);
  }

  std::string flipped(std::string bytes, std::size_t at) {
    bytes[at] = static_cast<char>(bytes[at] ^ (1 + random() % 255));
    return bytes;
  }
  /// One file as often as the other: the large ones have the least to say.
  void flip_large_files() {
    std::vector<std::pair<std::string, std::string>> large;
    for (const std::string& name : names)
      if (!is_log_text(name) && fs::file_size(directory / name) > small_file_bytes)
        large.emplace_back(name, read(directory / name));
    BOOST_TEST_REQUIRE(large.size() > 3u);
    for (std::size_t i = 0; i < random_flips; ++i) {
      const auto& [name, whole] = large[i % large.size()];
      const std::size_t at = random() % whole.size();
      try_with(name, flipped(whole, at), name + " byte " + std::to_string(at));
    }
  }
  void report() const {
    BOOST_TEST_MESSAGE(tried << " ways: " << refused << " refused, " << broken << " tenants broken");
    BOOST_TEST(failures == 0u);
    BOOST_TEST(refused > 100u);
    BOOST_TEST(broken > 20u);
  }

  std::mt19937 random{20261130};
  std::string of_bank;
  std::string of_shop;
  std::set<std::string> names;
  std::size_t tried = 0, refused = 0, broken = 0, failures = 0;
};

}  // namespace

// Three cases, so that two can run at once.
BOOST_FIXTURE_TEST_SUITE(metadata_sweep, fixture)

BOOST_AUTO_TEST_CASE(small_files_byte_by_byte_and_all_files_cut_zeroed_and_missing) {
  BOOST_TEST_REQUIRE(open()->damaged().empty());
  restore();
  for (const std::string& name : names) {
    if (is_log_text(name)) continue;
    const std::string whole = read(directory / name);
    try_with(name, std::nullopt, name + " missing");
    try_with(name, std::string(), name + " empty");
    try_with(name, std::string(whole.size(), '\0'), name + " zeroed");
    for (int part = 1; part < 8; ++part) {
      const std::size_t size = whole.size() * static_cast<std::size_t>(part) / 8;
      try_with(name, whole.substr(0, size), name + " cut at " + std::to_string(size));
      try_with(name, whole.substr(0, size) + std::string(whole.size() - size, '\0'),
               name + " zero from " + std::to_string(size));
    }
    for (std::size_t at = 0; at < whole.size() && whole.size() <= small_file_bytes; ++at)
      try_with(name, flipped(whole, at), name + " byte " + std::to_string(at));
  }
  report();
}

BOOST_AUTO_TEST_CASE(large_files_flipped_at_random) {
  flip_large_files();
  report();
}

BOOST_AUTO_TEST_CASE(large_files_flipped_at_random_again) {
  random.seed(20261201);
  flip_large_files();
  report();
}

BOOST_AUTO_TEST_SUITE_END()
