#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "storage/key_space.hpp"
#include "tests/storage/timeline/store_fixture.hpp"

namespace strata::tests {

/// One open timeline that starts at 8000, and shorthands for its pages.
struct timeline_fixture : store_fixture {
  static constexpr std::uint64_t start = 8000;
  std::shared_ptr<storage::timeline_store> store = create(core::lsn(start));

  void reopen() {
    const auto id = store->record().id;
    store.reset();
    close_server();
    open_server();
    store = open(stored(id));
  }
  bool reads(std::uint32_t block, std::uint64_t at, std::uint32_t number) {
    const auto found = read(*store, page(block), core::lsn(at));
    return found && *found == page_of(number);
  }
  core::errc read_failure(std::uint32_t block, std::uint64_t at,
                          storage::read_mode mode = storage::read_mode::may_block) {
    const auto found = read(*store, page(block), core::lsn(at), mode);
    BOOST_TEST_REQUIRE(!found.has_value());
    return found.error().code;
  }
  void set_size(std::uint64_t at, std::uint32_t blocks) {
    core::bytes value;
    core::append_le(value, blocks);
    put(*store, storage::relation_catalog_key({1663, 5, 16384, pg::fork::main}), core::lsn(at), value);
  }
  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(directory_of(store->record().id)))
      ++count;
    return count;
  }
};

}  // namespace strata::tests
