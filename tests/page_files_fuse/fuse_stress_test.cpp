#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <random>
#include <shared_mutex>
#include <thread>

#include "tests/page_files_fuse/mounted_files.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t page = pg::page_size;

/// What a file must hold. Its threads own bytes in turn: readers of a range exclude writers of it.
class model {
 public:
  explicit model(core::bytes with) : bytes_(std::move(with)) {}
  core::bytes& bytes() { return bytes_; }
  std::shared_mutex lock;

 private:
  core::bytes bytes_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_fuse_stress, *boost::unit_test::precondition(fuse_works))

/// Reads, writes of whole pages and of parts, truncations and extensions at random, against a model byte by byte, while
/// pages arrive late, caches are dropped and fetches run ahead.
BOOST_AUTO_TEST_CASE(every_byte_is_what_the_model_says) {
  constexpr std::uint32_t pages = 6000;
  constexpr std::size_t file_count = 3;
  mounted_files files(std::vector<std::uint32_t>(file_count, pages));
  files.source.set_delay(1500us);
  std::vector<std::unique_ptr<model>> models;
  for (std::size_t i = 0; i < file_count; ++i) models.push_back(std::make_unique<model>(files.made(0, pages, i)));

  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::atomic<std::uint64_t> reads = 0, writes = 0, cuts = 0, wrong = 0;
  const auto end = std::chrono::steady_clock::now() + 6s;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 9; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(seed + t);
      model& of = *models[t % file_count];
      const open_file file(files.path(t % file_count));
      while (std::chrono::steady_clock::now() < end) {
        const unsigned what = random() % 1000;
        if (what < 600) {
          const std::shared_lock lock(of.lock);
          if (of.bytes().empty()) continue;
          const std::size_t at = random() % of.bytes().size();
          const std::size_t most = what < 20 ? 300 * page : 2 * page;
          const std::size_t size = std::min<std::size_t>(1 + random() % most, of.bytes().size() - at);
          const core::bytes got = file.read(at, size);
          if (!std::ranges::equal(got, core::bytes_view(of.bytes()).subspan(at, size))) ++wrong;
          ++reads;
        } else if (what < 980) {
          const std::unique_lock lock(of.lock);
          std::size_t at = random() % (of.bytes().size() + page);
          std::size_t size = 1 + random() % (3 * page);
          if (what < 900) {
            at -= at % page;
            size = (1 + random() % 20) * page;
          }
          const core::bytes put(size, static_cast<std::uint8_t>(1 + random() % 255));
          file.write(at, put);
          if (of.bytes().size() < at + size) of.bytes().resize(at + size);
          std::ranges::copy(put, of.bytes().begin() + static_cast<std::ptrdiff_t>(at));
          ++writes;
        } else if (what < 988) {
          const std::unique_lock lock(of.lock);
          // Mostly a little shorter or longer.
          const std::size_t now = of.bytes().size();
          std::size_t size = random() % 3 == 0 ? now + random() % (500 * page)
                                               : now - std::min<std::size_t>(now, random() % (400 * page));
          if (random() % 2 == 0) size -= size % page;
          file.truncate(size);
          of.bytes().resize(size);
          ++cuts;
        } else if (what < 996) {
          // The kernel asks for these pages, and nobody waits for them: writes and truncations come in between.
          ::posix_fadvise(file.fd(), static_cast<off_t>(random() % pages * page), 200 * page, POSIX_FADV_WILLNEED);
        } else {
          mounted_files::drop_cache(files.path(t % file_count));
        }
      }
    });
  for (std::thread& each : threads) each.join();
  BOOST_TEST(wrong == 0u);
  BOOST_TEST_MESSAGE(reads << " reads, " << writes << " writes, " << cuts << " truncations, "
                           << files.door().counts().fetches << " fetches");
  BOOST_TEST(cuts > 10u);
  for (std::size_t i = 0; i < file_count; ++i) {
    mounted_files::drop_cache(files.path(i));
    const core::bytes all = open_file(files.path(i)).read(0, models[i]->bytes().size() + page);
    BOOST_TEST((all == models[i]->bytes()));
    // And below, once it was written back.
    const open_file below(files.home / "below" / files.files[i].file.path);
    BOOST_TEST(below.size() == models[i]->bytes().size());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
