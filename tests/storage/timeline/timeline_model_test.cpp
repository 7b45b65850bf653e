// Random histories against an oracle that keeps every version of every key whole, in a map.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <random>

#include "pg/redo/block_record.hpp"
#include "storage/strata_record.hpp"
#include "tests/storage/timeline/store_fixture.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::storage;

namespace {

constexpr std::uint32_t relations = 3;
constexpr std::uint32_t blocks_max = 24;
constexpr std::uint32_t clog_pages = 3;

struct oracle_timeline {
  using versions = std::map<core::lsn, core::bytes>;
  std::map<core::page_key, versions> keys;
  const oracle_timeline* ancestor = nullptr;
  core::lsn ancestor_lsn;

  /// nullptr when there is none; an empty value does not exist either.
  const core::bytes* find(const core::page_key& key, core::lsn at) const {
    if (const auto of = keys.find(key); of != keys.end()) {
      const auto behind = of->second.upper_bound(at);
      if (behind != of->second.begin()) return &std::prev(behind)->second;
    }
    return ancestor == nullptr ? nullptr : ancestor->find(key, std::min(at, ancestor_lsn));
  }
  void scan(const core::key_range& range, core::lsn at, std::map<core::page_key, core::bytes>& found) const {
    for (auto of = keys.lower_bound(range.begin); of != keys.end() && of->first < range.end; ++of)
      if (const core::bytes* value = find(of->first, at)) found.try_emplace(of->first, *value);
    if (ancestor != nullptr) ancestor->scan(range, std::min(at, ancestor_lsn), found);
  }
  void forget_above(core::lsn last) {
    for (auto& [key, versions] : keys) versions.erase(versions.upper_bound(last), versions.end());
  }
};

struct branch {
  timeline_record record;
  std::shared_ptr<timeline_store> store;
  oracle_timeline oracle;
  branch* parent = nullptr;
  std::vector<core::lsn> children;  ///< branch points
};

class model : public tests::store_fixture {
 public:
  explicit model(unsigned seed) : random_(seed) {
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
  unsigned pick(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }
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

  static pg::relation_fork relation(std::uint32_t number) { return {1663, 5, 16384 + number, pg::fork::main}; }
  std::uint32_t size_of(const branch& of, const pg::relation_fork& relation, core::lsn at) {
    const core::bytes* value = of.oracle.find(relation_catalog_key(relation), at);
    return value == nullptr || value->empty() ? 0 : core::load_le<std::uint32_t>(value->data());
  }

  // A value goes to the batch, and its outcome to the oracle.
  void put_image(branch& to, write_batch& batch, const core::page_key& key, core::lsn at, core::bytes image) {
    batch.put_image(key, at, image);
    to.oracle.keys[key][at] = std::move(image);
  }
  void put_size(branch& to, write_batch& batch, const pg::relation_fork& relation, core::lsn at, std::uint32_t size) {
    core::bytes value;
    core::append_le(value, size);
    put_image(to, batch, relation_catalog_key(relation), at, value);
  }

  void write_relation_page(branch& to, write_batch& batch, core::lsn at) {
    const pg::relation_fork of = relation(pick(relations));
    const std::uint32_t size = size_of(to, of, at);
    const std::uint32_t block = pick(blocks_max);
    if (block >= size) {
      // Like ingest: a relation grows with zeroed pages in its gap.
      for (std::uint32_t gap = size; gap < block; ++gap)
        put_image(to, batch, relation_page_key(of, gap), at, core::bytes(pg::page_size));
      put_size(to, batch, of, at, block + 1);
    }
    const core::page_key key = relation_page_key(of, block);
    if (pick(2) == 0) return put_image(to, batch, key, at, page_of(static_cast<std::uint32_t>(random_())));

    core::bytes content = page_of(static_cast<std::uint32_t>(random_()));
    content[14] = 1;
    pg::redo::block_record record;
    record.manager = pg::wal::resource_manager::xlog;
    record.info = 0xB0;
    record.has_image = true;
    record.image.stored = content;
    record.addresses[0] = {true, pg::fork::main, true, block};
    std::uint8_t* value = batch.reserve(key, at, 1 + encoded_size(record));
    value[0] = value_tag(value_kind::block_record, true);
    encode(record, value + 1);
    core::bytes page(pg::page_size);
    expect(pg::redo::apply(record, at, {}, page));
    to.oracle.keys[key][at] = page;
  }

  void write_clog(branch& to, write_batch& batch, core::lsn at) {
    const std::uint32_t page = pick(clog_pages);
    const core::page_key key = slru_page_key(pg::slru_kind::clog, page);
    const core::bytes* before = to.oracle.find(key, at);
    if (before == nullptr) {
      // The first one makes the whole segment, as the catalog counts its pages.
      for (std::uint32_t i = 0; i < clog_pages; ++i)
        put_image(to, batch, slru_page_key(pg::slru_kind::clog, i), at, core::bytes(pg::page_size));
      core::bytes count;
      core::append_le(count, clog_pages);
      return put_image(to, batch, slru_catalog_key(pg::slru_kind::clog, 0), at, count);
    }
    // Of several versions at one LSN the last wins: all that one record does to a page is one version.
    if (to.oracle.keys[key].contains(at)) return;
    core::bytes payload;
    const pg::transaction_id xid = page * 32768 + pick(32768);
    encode_clog_status(payload, static_cast<transaction_status>(1 + pick(2)), {&xid, 1});
    std::uint8_t* value = batch.reserve(key, at, 1 + payload.size());
    value[0] = value_tag(value_kind::strata_record, false);
    std::copy(payload.begin(), payload.end(), value + 1);
    core::bytes after = *before;
    expect(apply_strata_record(payload, after));
    to.oracle.keys[key][at] = after;
  }

  void write_sparse(branch& to, write_batch& batch, core::lsn at) {
    const core::page_key key =
        pick(2) == 0 ? two_phase_key(pick(20)) : replication_origin_key(static_cast<std::uint16_t>(pick(9)));
    core::bytes value(pick(3) == 0 ? 0 : 1 + pick(100), static_cast<std::uint8_t>(random_()));
    put_image(to, batch, key, at, value);
  }

  void write(branch& to) {
    write_batch batch(4096u << pick(4));
    core::lsn at = to.store->last_record_lsn().align_up();
    for (unsigned record = 0, records = 1 + pick(6); record < records; ++record) {
      const core::lsn start = at;
      at = at + 8 * (1 + pick(200));
      for (unsigned i = 0, changes = pick(4); i < changes; ++i) {
        const unsigned kind = pick(10);
        if (kind < 5)
          write_relation_page(to, batch, at);
        else if (kind < 8)
          write_clog(to, batch, at);
        else
          write_sparse(to, batch, at);
      }
      batch.finish_record(start, at);
      if (pick(2) == 0) batch.add_commit_time(static_cast<pg::timestamp>(at.value) * 10, at);
    }
    to.store->append(std::move(batch));
    BOOST_TEST_REQUIRE((to.store->last_record_lsn() == at));
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
    return core::lsn(first.value + std::uniform_int_distribution<std::uint64_t>(0, last - first)(random_));
  }

  void check_pages(branch& of) {
    const core::lsn at = readable_lsn(of);
    std::vector<core::bytes> buffers(1 + pick(16), core::bytes(pg::page_size));
    std::vector<page_read> reads;
    for (core::bytes& buffer : buffers) {
      const pg::relation_fork which = relation(pick(relations));
      const std::uint32_t size = size_of(of, which, at);
      if (size > 0 && pick(4) > 0)
        reads.push_back({relation_page_key(which, pick(size)), buffer, {}});
      else
        reads.push_back({slru_page_key(pg::slru_kind::clog, pick(clog_pages)), buffer, {}});
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
    const core::page_key sparse =
        pick(2) == 0 ? two_phase_key(pick(20)) : replication_origin_key(static_cast<std::uint16_t>(pick(9)));
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

  std::mt19937 random_;
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
