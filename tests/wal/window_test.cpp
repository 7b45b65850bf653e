#include "wal/window.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>

namespace strata::wal {
namespace {

core::bytes numbered(std::size_t count, std::size_t from = 0) {
  core::bytes made(count);
  for (std::size_t i = 0; i < count; ++i) made[i] = static_cast<std::uint8_t>((from + i) * 31 >> 3);
  return made;
}

core::bytes joined(const window::parts& of) {
  core::bytes made;
  for (std::size_t i = 0; i < of.count; ++i) core::append(made, of.part[i]);
  return made;
}

constexpr std::size_t block = 64u << 10;

BOOST_AUTO_TEST_SUITE(wal_window)

BOOST_AUTO_TEST_CASE(what_was_appended_is_seen_across_blocks_without_copying) {
  window window(4 * block, block);
  window.restart(core::lsn(0x1000123));
  const core::bytes all = numbered(2 * block + 77);
  for (std::size_t at = 0; at < all.size(); at += 100'000)
    window.append(core::bytes_view(all).subspan(at, std::min<std::size_t>(100'000, all.size() - at)));
  BOOST_TEST(window.end().value == 0x1000123 + all.size());

  const core::lsn from = window.begin() + (block - 10);
  const auto seen = window.view(from, from + 30);
  BOOST_TEST(seen.count == 2u);
  BOOST_TEST(joined(seen) == core::bytes(all.begin() + block - 10, all.begin() + block + 20));
  BOOST_TEST(window.view(from, from).count == 0u);
  BOOST_TEST(joined(window.view(from, from + block)) ==
             core::bytes(all.begin() + block - 10, all.begin() + 2 * block - 10));
}

BOOST_AUTO_TEST_CASE(it_is_full_when_nothing_is_released_and_takes_more_after_a_whole_block_has_gone) {
  window window(2 * block, block);
  window.restart(core::lsn(8));
  window.append(numbered(2 * block));
  BOOST_TEST(window.room() == 0u);
  window.release(window.begin() + (block - 1));
  BOOST_TEST(window.room() == 0u);
  BOOST_TEST(window.holds(window.begin(), window.end()));
  window.release(window.begin() + 1);
  BOOST_TEST(window.room() == block);
  window.append(numbered(block, 2 * block));
  BOOST_TEST(window.room() == 0u);
  BOOST_TEST(joined(window.view(window.end() - block, window.end())) == numbered(block, 2 * block));
}

BOOST_AUTO_TEST_CASE(it_holds_only_what_was_not_released) {
  window window(2 * block, block);
  window.restart(core::lsn(1000));
  window.append(numbered(500));
  window.release(core::lsn(1200));
  BOOST_TEST(!window.holds(core::lsn(1199), core::lsn(1300)));
  BOOST_TEST(window.holds(core::lsn(1200), core::lsn(1500)));
  BOOST_TEST(!window.holds(core::lsn(1200), core::lsn(1501)));
  window.release(core::lsn(9999));  // no further than it reaches
  BOOST_TEST(window.begin().value == 1500u);
  BOOST_TEST(window.empty());
  window.release(core::lsn(1));  // what has gone has gone
  BOOST_TEST(window.begin().value == 1500u);
}

BOOST_AUTO_TEST_CASE(a_restart_forgets) {
  window window(block, block);
  window.restart(core::lsn(1000));
  window.append(numbered(500));
  window.restart(core::lsn(77));
  BOOST_TEST(window.begin().value == 77u);
  BOOST_TEST(window.room() == block);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::wal
