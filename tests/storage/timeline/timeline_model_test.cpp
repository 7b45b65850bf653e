// Random histories against an oracle that keeps every version of every key whole, in a map.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <random>

#include "tests/storage/timeline/store_fixture.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/random_history.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

struct branch {
  timeline_record record;
  std::shared_ptr<timeline_store> store;
  tests::oracle_timeline oracle;
  branch* parent = nullptr;
  std::vector<core::lsn> children;  ///< branch points
};

class model : public tests::store_fixture {
 public:
  explicit model(unsigned seed) : history_(seed) {
    options.checkpoint_distance_bytes = 96u << 10;
    options.compaction_target_bytes = 64u << 10;
    options.compaction_threshold = 3;
    options.image_creation_threshold = 2;
    add_branch(new_record(core::lsn(1000)), nullptr);
  }

  void step() {
    const unsigned choice = pick(100);
    if (choice < 55) return write(any_branch());
    if (choice < 67) return flush(*any_branch().store);
    if (choice < 74) return compact(any_branch());
    if (choice < 78) return collect(any_branch());
    if (choice < 80) return make_branch();
    if (choice < 81) return restart();
    check_pages(any_branch());
    if (choice > 95) check_scan(any_branch());
  }

  void finish() {
    for (auto& each : branches_) {
      check_scan(*each);
      for (int i = 0; i < 50; ++i) check_pages(*each);
    }
    restart();
    for (auto& each : branches_)
      for (int i = 0; i < 20; ++i) check_pages(*each);
  }

  std::size_t pages_checked = 0, images = 0, removed = 0, restarts = 0;

 private:
  unsigned pick(unsigned below) { return history_.pick(below); }
  branch& any_branch() { return *branches_[pick(static_cast<unsigned>(branches_.size()))]; }

  void add_branch(const timeline_record& record, branch* parent) {
    auto added = std::make_unique<branch>();
    expect(metadata->put_timeline(record));
    added->record = record;
    added->parent = parent;
    if (parent != nullptr) {
      added->oracle.ancestor = &parent->oracle;
      added->oracle.ancestor_lsn = record.ancestor_lsn;
      parent->children.push_back(record.ancestor_lsn);
    }
    added->store = open(record, parent == nullptr ? nullptr : parent->store);
    branches_.push_back(std::move(added));
  }

  void write(branch& to) {
    auto batch = history_.next(to.oracle, to.store->last_record_lsn());
    const core::lsn end = batch.last_record_end();
    to.store->append(std::move(batch));
    BOOST_TEST_REQUIRE((to.store->last_record_lsn() == end));
    if (to.store->freeze_due() && pick(2) == 0) to.store->freeze();
  }

  void compact(branch& of) {
    images += expect(of.store->compact(pick(2) == 0, [] { return false; })).images_out;
  }

  void collect(branch& of) {
    const core::lsn last = of.store->disk_consistent_lsn();
    const std::uint64_t keep = pick(20000);
    timeline_store::retention retention{.cutoff = last.value > keep ? last - keep : core::lsn(),
                                        .branch_points = of.children};
    retention.cutoff = std::max(retention.cutoff, of.record.readable_from);
    removed += expect(of.store->collect(retention)).removed;
    BOOST_TEST_REQUIRE((of.store->gc_cutoff() <= of.store->disk_consistent_lsn()));
  }

  void make_branch() {
    if (branches_.size() >= 4) return;
    branch& parent = any_branch();
    flush(*parent.store);
    const core::lsn first = std::max(parent.store->gc_cutoff(), parent.record.readable_from);
    const core::lsn at(first.value + (parent.store->disk_consistent_lsn() - first) * pick(5) / 4);
    if (at > parent.store->disk_consistent_lsn() || !parent.store->check_readable(at)) return;
    timeline_record record = new_record(at);
    record.ancestor = parent.record.id;
    record.ancestor_lsn = at;
    add_branch(record, &parent);
  }

  /// As after a crash: what was not flushed is gone.
  void restart() {
    ++restarts;
    for (auto& each : branches_) {
      each->oracle.forget_above(each->store->disk_consistent_lsn());
      each->store.reset();
    }
    close_server();
    open_server();
    for (auto& each : branches_) {
      each->record = stored(each->record.id);
      each->store = open(each->record, each->parent == nullptr ? nullptr : each->parent->store);
    }
  }

  core::lsn readable_lsn(const branch& of) {
    const core::lsn first = std::max(of.store->gc_cutoff(), of.record.readable_from);
    const core::lsn last = of.store->last_record_lsn();
    if (!of.children.empty() && pick(4) == 0) {
      const core::lsn point = of.children[pick(static_cast<unsigned>(of.children.size()))];
      if (of.store->check_readable(point)) return point;
    }
    return core::lsn(first.value + std::uniform_int_distribution<std::uint64_t>(0, last - first)(history_.generator()));
  }

  void check_pages(branch& of) {
    const core::lsn at = readable_lsn(of);
    std::vector<core::bytes> buffers(1 + pick(16), core::bytes(pg::page_size));
    std::vector<page_read> reads;
    for (core::bytes& buffer : buffers) {
      const pg::relation_fork which = history_.relation(pick(history_.relations));
      const std::uint32_t size = history_.size_of(of.oracle, which, at);
      if (size > 0 && pick(4) > 0)
        reads.push_back({relation_page_key(which, pick(size)), buffer, {}});
      else
        reads.push_back({slru_page_key(pg::slru_kind::clog, pick(history_.clog_pages)), buffer, {}});
    }
    of.store->read_pages(reads, at, read_mode::may_block);
    for (const page_read& read : reads) {
      const core::bytes* wanted = of.oracle.find(read.key, at);
      ++pages_checked;
      BOOST_TEST_CONTEXT("key " << core::to_string(read.key) << " at " << at.value) {
        if (wanted == nullptr) {
          BOOST_TEST_REQUIRE(read.failure);
          continue;
        }
        BOOST_TEST_REQUIRE(!read.failure, (read.failure ? core::to_string(*read.failure) : ""));
        BOOST_TEST_REQUIRE(std::equal(wanted->begin(), wanted->end(), read.page.begin()));
      }
    }
    const core::page_key sparse = history_.any_sparse_key();
    const auto value = expect(of.store->read_value(sparse, at, read_mode::may_block));
    const core::bytes* wanted = of.oracle.find(sparse, at);
    BOOST_TEST_REQUIRE((value.value_or(core::bytes()) == (wanted == nullptr ? core::bytes() : *wanted)));
    BOOST_TEST_REQUIRE(value.has_value() == (wanted != nullptr && !wanted->empty()));
  }

  void check_scan(branch& of) {
    const core::lsn at = readable_lsn(of);
    for (const key_kind kind :
         {key_kind::two_phase, key_kind::replication_origin, key_kind::relation_catalog, key_kind::slru_catalog}) {
      std::map<core::page_key, core::bytes> wanted;
      of.oracle.scan(kind_range(kind), at, wanted);
      std::erase_if(wanted, [](const auto& each) { return each.second.empty(); });
      std::map<core::page_key, core::bytes> found;
      expect(of.store->scan(kind_range(kind), at, [&](const core::page_key& key, core::bytes_view value) {
        found.emplace(key, core::bytes(value.begin(), value.end()));
        return true;
      }));
      BOOST_TEST_REQUIRE((found == wanted));
    }
  }

  tests::random_history history_;
  std::vector<std::unique_ptr<branch>> branches_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_timeline_model)

BOOST_AUTO_TEST_CASE(random_histories_read_back_as_written) {
  const char* chosen = std::getenv("STRATA_SEED");
  const unsigned first = chosen != nullptr ? static_cast<unsigned>(std::atoi(chosen)) : 1;
  const unsigned last = chosen != nullptr ? first : 2;
  std::size_t checked = 0, images = 0, removed = 0;
  for (unsigned seed = first; seed <= last; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed << " (STRATA_SEED=" << seed << " runs it alone)") {
      model run(seed);
      for (int i = 0; i < 800; ++i) run.step();
      run.finish();
      checked += run.pages_checked;
      images += run.images;
      removed += run.removed;
    }
  }
  BOOST_TEST_MESSAGE("pages checked " << checked << ", image layers " << images << ", layers collected " << removed);
  if (chosen == nullptr) {
    BOOST_TEST(images > 20u);
    BOOST_TEST(removed > 20u);
  }
}

BOOST_AUTO_TEST_SUITE_END()
