#include "storage/metadata/metadata_seal.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

core::bytes value_of(std::uint8_t number) { return {1, number, 3}; }

tenant_seal seal_of(std::uint64_t edits, std::initializer_list<std::uint8_t> values) {
  tenant_seal seal{.edits = edits};
  for (const std::uint8_t each : values)
    seal.add(metadata_family::layers, std::string(1, static_cast<char>(each)), value_of(each));
  return seal;
}
tenant_seal content(std::initializer_list<std::uint8_t> values) { return seal_of(0, values); }

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_metadata_seal)

BOOST_AUTO_TEST_CASE(a_digest_does_not_depend_on_the_order_and_what_is_taken_away_is_gone) {
  BOOST_TEST((content({1, 2, 3}) == content({3, 1, 2})));
  BOOST_TEST((!content({1, 2}).same_content(content({1, 3}))));
  BOOST_TEST((!content({1, 1}).same_content(content({1}))));
  tenant_seal changed = content({1, 2, 3});
  changed.subtract(metadata_family::layers, std::string(1, 2), value_of(2));
  BOOST_TEST((changed == content({1, 3})));
  changed.subtract(metadata_family::layers, std::string(1, 1), value_of(1));
  changed.subtract(metadata_family::layers, std::string(1, 3), value_of(3));
  BOOST_TEST((changed == tenant_seal{}));
  // Which record it is counts: the family, and where the key ends.
  const core::bytes value{'b', 'c'};
  BOOST_TEST((!(digest_of(metadata_family::layers, "a", value) == digest_of(metadata_family::timelines, "a", value))));
  BOOST_TEST((
      !(digest_of(metadata_family::layers, "ab", core::bytes{'c'}) == digest_of(metadata_family::layers, "a", value))));
}

BOOST_AUTO_TEST_CASE(only_the_last_acknowledged_edit_or_one_more_is_whole) {
  using kind = seal_verdict::kind;
  const tenant_seal one = seal_of(1, {1});
  const tenant_seal two = seal_of(2, {1, 2});
  const tenant_seal three = seal_of(3, {1, 2, 3});
  const tenant_seal none_left = seal_of(3, {});
  const auto filed = [](const tenant_seal& seal) { return filed_seal{seal, "shop"}; };
  struct {
    const char* what;
    tenant_seal found;
    std::optional<stored_seal> stored;
    std::optional<filed_seal> in_file;
    kind wanted;
  } const cases[] = {
      {"as acknowledged", two, stored_seal{two, one}, filed(two), kind::whole},
      {"one edit that was not acknowledged", three, stored_seal{three, two}, filed(two), kind::ahead},
      {"the first edit was not acknowledged", one, stored_seal{one, {}}, std::nullopt, kind::ahead},
      {"two edits more", three, stored_seal{three, two}, filed(one), kind::damaged},
      {"one more, after another one than acknowledged", three, stored_seal{three, seal_of(2, {1, 9})}, filed(two),
       kind::damaged},
      {"one edit less", one, stored_seal{one, {}}, filed(two), kind::damaged},
      {"the same number of another content", seal_of(2, {1, 9}), stored_seal{seal_of(2, {1, 9}), one}, filed(two),
       kind::damaged},
      {"a record less", one, stored_seal{two, one}, filed(two), kind::damaged},
      {"a record more", three, stored_seal{two, one}, filed(two), kind::damaged},
      {"a record changed", seal_of(2, {1, 9}), stored_seal{two, one}, filed(two), kind::damaged},
      {"no seal beside records", two, std::nullopt, filed(two), kind::damaged},
      {"no records", {}, std::nullopt, filed(two), kind::damaged},
      {"no file", two, stored_seal{two, one}, std::nullopt, kind::damaged},
      {"nothing at all", {}, std::nullopt, std::nullopt, kind::gone},
      {"removed, acknowledged", {}, stored_seal{none_left, two}, filed(none_left), kind::gone},
      {"removed, its file, too", {}, stored_seal{none_left, two}, std::nullopt, kind::gone},
      {"removed, but for the file", {}, std::nullopt, filed(none_left), kind::gone},
      {"removed, not acknowledged", {}, stored_seal{none_left, two}, filed(two), kind::ahead},
  };
  for (const auto& each : cases) {
    const seal_verdict verdict = judge(each.found, each.stored, each.in_file);
    BOOST_TEST((verdict.is == each.wanted), each.what << ": " << verdict.why);
    BOOST_TEST(verdict.why.empty() == (verdict.is != kind::damaged), each.what);
  }
}

BOOST_AUTO_TEST_CASE(a_torn_write_of_a_seal_leaves_the_one_before) {
  const tests::temp_dir directory;
  const seal_files files((directory / "seals").string());
  BOOST_TEST_REQUIRE(files.make_directory());
  const auto tenant = core::make_id<core::tenant_id>();
  const auto path = files.path_of(tenant);
  const auto bytes = [&] {
    std::ifstream file(path, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  const auto newest = [&]() -> std::uint64_t {
    const auto all = files.load().value();
    const auto& found = all.at(tenant);
    return found ? found->seal.edits : 0;
  };
  for (std::uint64_t edits = 1; edits < 5; ++edits) {
    BOOST_TEST_REQUIRE(files.write(tenant, {seal_of(edits, {1}), "shop"}));
    BOOST_TEST(newest() == edits);
  }
  const std::string before = bytes();
  BOOST_TEST_REQUIRE(files.write(tenant, {seal_of(5, {1, 2}), "shop and more"}));
  const std::string after = bytes();
  BOOST_TEST_REQUIRE(before.size() == after.size());
  for (std::size_t written = 0; written <= after.size(); written += written < 4096 || written > 4300 ? 256 : 1) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << after.substr(0, written) << before.substr(written);
    const std::uint64_t found = newest();
    BOOST_TEST((found == 4 || found == 5), written << " bytes: " << found);
  }
  // Damage of both is no seal.
  std::string damaged = after;
  damaged[20] = static_cast<char>(damaged[20] ^ 1);
  damaged[4096 + 20] = static_cast<char>(damaged[4096 + 20] ^ 1);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;
  BOOST_TEST(newest() == 0u);
  BOOST_TEST_REQUIRE(files.remove(tenant));
  BOOST_TEST(files.load()->empty());
}

BOOST_AUTO_TEST_SUITE_END()
