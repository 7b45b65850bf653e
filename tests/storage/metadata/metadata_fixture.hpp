#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "storage/metadata/metadata_codec.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

/// Metadata of two tenants in a directory of its own, and what it is to say.
class metadata_fixture {
 public:
  using tenant_id = core::tenant_id;
  using timeline_id = core::timeline_id;
  struct one_tenant {
    tenant_id id = core::make_id<tenant_id>();
    timeline_id main = core::make_id<timeline_id>();
    timeline_id dev = core::make_id<timeline_id>();
  };

  metadata_fixture() : home(directory / "metadata"), copies(directory / "tenants") {}

  core::result<std::unique_ptr<storage::metadata_store>> try_open() const {
    return storage::metadata_store::open(home.string(), copies.string());
  }
  std::unique_ptr<storage::metadata_store> open() const {
    auto opened = try_open();
    BOOST_TEST_REQUIRE(opened.has_value(), (opened ? "" : opened.error().detail));
    return *std::move(opened);
  }

  static storage::layer_record layer(std::uint64_t number) {
    return {.number = number,
            .kind = storage::layer_kind::image,
            .level = 1,
            .keys = {{.block = 1}, {.block = 9}},
            .begin = core::lsn(10 + number),
            .end = core::lsn(11 + number),
            .size_bytes = 12};
  }
  static storage::timeline_record timeline(const tenant_id& tenant, const timeline_id& id, const std::string& name) {
    storage::timeline_record record;
    record.tenant = tenant;
    record.id = id;
    record.name = name;
    record.disk_consistent_lsn = core::lsn(100);
    return record;
  }
  static void fill(storage::metadata_store& store, const one_tenant& of, const std::string& name) {
    BOOST_TEST_REQUIRE(store.put_timeline(timeline(of.id, of.main, "main")));
    BOOST_TEST_REQUIRE(store.put_tenant({of.id, name, core::generation(1), "{}"}));
    BOOST_TEST_REQUIRE(store.put_timeline(timeline(of.id, of.dev, "dev")));
    flush(store, of, 1);
    flush(store, of, 2);
  }
  /// As a flush edits the metadata.
  static void flush(storage::metadata_store& store, const one_tenant& of, std::uint64_t number) {
    storage::timeline_edit edit{.add = {layer(number)}, .disk_consistent_lsn = core::lsn(100 + number * 10)};
    for (std::uint64_t at = 0; at < 10; ++at)
      edit.commit_times.push_back({static_cast<pg::timestamp>(number * 1000 + at), core::lsn(100 + number * 10 + at)});
    edit.put_side_files = {{.number = number,
                            .name = "postgresql.auto.conf",
                            .at = core::lsn(100 + number * 10),
                            .term = 3,
                            .proven = number == 1,
                            .size = 5,
                            .checksum = 6}};
    BOOST_TEST_REQUIRE(store.apply(of.id, of.main, edit));
  }

  /// Everything that the store says of a tenant, or its first error.
  /// Without its history in time: what a rebuild brings back.
  static std::string content(storage::metadata_store& store, const tenant_id& tenant, bool with_history = true) {
    namespace codec = storage::metadata_codec;
    std::string text;
    const auto add = [&](const core::bytes& bytes) { text.append(bytes.begin(), bytes.end()).append(";"); };
    const auto tenants = store.tenants();
    if (!tenants) return "error: " + tenants.error().detail;
    for (const auto& each : *tenants)
      if (each.id == tenant) add(codec::encode(each));
    const auto timelines = store.timelines(tenant);
    if (!timelines) return "error: " + timelines.error().detail;
    for (auto each : *timelines) {
      if (!with_history) each.created = {};
      add(codec::encode(each));
      const auto layers = store.layers(tenant, each.id);
      if (!layers) return "error: " + layers.error().detail;
      for (const auto& layer : *layers) add(codec::encode(layer));
      const auto side_files = store.side_files(tenant, each.id);
      if (!side_files) return "error: " + side_files.error().detail;
      for (const auto& file : *side_files) add(codec::encode(file));
      text += std::to_string(store.last_layer_number(tenant, each.id).value()) + ";";
      if (!with_history) continue;
      const auto visited =
          store.visit_commit_times(tenant, each.id, core::lsn(), core::lsn::max(), [&](const auto& at) {
            text += std::to_string(at.time) + "@" + std::to_string(at.end.value) + ";";
            return true;
          });
      if (!visited) return "error: " + visited.error().detail;
    }
    return text;
  }
  static bool is_damaged(const storage::metadata_store& store, const tenant_id& tenant) {
    for (const auto& each : store.damaged())
      if (each.id == tenant) return true;
    return false;
  }

  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void write(const std::filesystem::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  }
  [[nodiscard]] std::filesystem::path database() const { return home / "metadata"; }
  [[nodiscard]] std::filesystem::path seal_of(const tenant_id& tenant) const {
    return home / "seals" / core::to_string(tenant);
  }
  /// Its newest file with this ending.
  [[nodiscard]] std::filesystem::path database_file(const std::string& ending) const {
    std::filesystem::path found;
    for (const auto& each : std::filesystem::directory_iterator(database()))
      if (each.path().filename().string().ends_with(ending) && found < each.path()) found = each.path();
    BOOST_TEST_REQUIRE(!found.empty());
    return found;
  }

  temp_dir directory;
  std::filesystem::path home;
  std::filesystem::path copies;
  one_tenant shop;
  one_tenant bank;
};

}  // namespace strata::tests
