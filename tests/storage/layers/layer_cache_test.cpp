#include "storage/layers/layer_cache.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "core/blocking.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

/// A layer that the metadata no longer names, with its file.
struct retired_layer {
  temp_dir directory;
  storage::layer_cache cache{1u << 20, 4};
  std::unique_ptr<storage::stored_layer> layer;

  retired_layer() {
    storage::layer_identity identity;
    identity.layer.number = 7;
    layer = std::make_unique<storage::stored_layer>(cache, directory.path().string(), identity);
    std::ofstream(layer->path()) << "content";
    layer->retire();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_layers_layer_cache, retired_layer)

BOOST_AUTO_TEST_CASE(a_retired_layer_keeps_its_file_until_its_last_user_is_gone) {
  const std::string path = layer->path();
  cache.remove_retired();
  BOOST_TEST(std::filesystem::exists(path));
  layer.reset();
  cache.remove_retired();
  BOOST_TEST(!std::filesystem::exists(path));
}

BOOST_AUTO_TEST_CASE(the_last_user_of_a_layer_does_not_wait_for_the_disk) {
  const std::string path = layer->path();
  {
    const core::no_blocking never("test");
    const std::uint64_t before = core::blocking_calls();
    layer.reset();
    BOOST_TEST(core::blocking_calls() == before);
  }
  BOOST_TEST(std::filesystem::exists(path));
  cache.remove_retired();
  BOOST_TEST(!std::filesystem::exists(path));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
