#include "tests/support/random_history.hpp"

#include <algorithm>
#include <stdexcept>

#include "pg/redo/block_record.hpp"
#include "pg/redo/redo.hpp"
#include "storage/strata_record.hpp"

namespace strata::tests {

using namespace storage;

namespace {

void expect(const core::result<void>& done) {
  if (!done) throw std::runtime_error(core::to_string(done.error()));
}

}  // namespace

const core::bytes* oracle_timeline::find(const core::page_key& key, core::lsn at) const {
  if (const auto of = keys.find(key); of != keys.end()) {
    const auto behind = of->second.upper_bound(at);
    if (behind != of->second.begin()) return &std::prev(behind)->second;
  }
  return ancestor == nullptr ? nullptr : ancestor->find(key, std::min(at, ancestor_lsn));
}

void oracle_timeline::scan(const core::key_range& range, core::lsn at,
                           std::map<core::page_key, core::bytes>& found) const {
  for (auto of = keys.lower_bound(range.begin); of != keys.end() && of->first < range.end; ++of)
    if (const core::bytes* value = find(of->first, at)) found.try_emplace(of->first, *value);
  if (ancestor != nullptr) ancestor->scan(range, std::min(at, ancestor_lsn), found);
}

void oracle_timeline::forget_above(core::lsn last) {
  for (auto& [key, versions] : keys) versions.erase(versions.upper_bound(last), versions.end());
}

std::uint32_t random_history::size_of(const oracle_timeline& of, const pg::relation_fork& relation, core::lsn at) {
  const core::bytes* value = of.find(relation_catalog_key(relation), at);
  return value == nullptr || value->empty() ? 0 : core::load_le<std::uint32_t>(value->data());
}

write_batch random_history::next(oracle_timeline& of, core::lsn last) {
  write_batch batch(4096u << pick(4));
  core::lsn at = last.align_up();
  for (unsigned record = 0, records = 1 + pick(records_max); record < records; ++record) {
    const core::lsn start = at;
    at = at + 8 * (1 + pick(200));
    for (unsigned i = 0, changes = pick(4); i < changes; ++i) {
      const unsigned kind = pick(10);
      if (kind < 5)
        write_relation_page(of, batch, at);
      else if (kind < 8)
        write_clog(of, batch, at);
      else
        write_sparse(of, batch, at);
    }
    batch.finish_record(start, at);
    if (pick(2) == 0) batch.add_commit_time(static_cast<pg::timestamp>(at.value) * 10, at);
  }
  return batch;
}

void random_history::put_image(oracle_timeline& of, write_batch& batch, const core::page_key& key, core::lsn at,
                               core::bytes image) {
  batch.put_image(key, at, image);
  of.keys[key][at] = std::move(image);
}

core::bytes random_history::any_page() {
  core::bytes page(pg::page_size);
  std::minstd_rand random(static_cast<std::uint32_t>(random_()) + 1);
  for (std::size_t i = 0; i < page.size(); i += 64) page[i] = static_cast<std::uint8_t>(random());
  return page;
}

void random_history::write_relation_page(oracle_timeline& to, write_batch& batch, core::lsn at) {
  const pg::relation_fork of = relation(pick(relations));
  const std::uint32_t size = size_of(to, of, at);
  const std::uint32_t block = pick(blocks_max);
  if (block >= size) {
    // Like ingest: a relation grows with zeroed pages in its gap.
    for (std::uint32_t gap = size; gap < block; ++gap)
      put_image(to, batch, relation_page_key(of, gap), at, core::bytes(pg::page_size));
    core::bytes grown;
    core::append_le(grown, block + 1);
    put_image(to, batch, relation_catalog_key(of), at, grown);
  }
  const core::page_key key = relation_page_key(of, block);
  if (pick(2) == 0) return put_image(to, batch, key, at, any_page());

  core::bytes content = any_page();
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
  to.keys[key][at] = page;
}

void random_history::write_clog(oracle_timeline& to, write_batch& batch, core::lsn at) {
  const std::uint32_t page = pick(clog_pages);
  const core::page_key key = slru_page_key(pg::slru_kind::clog, page);
  const core::bytes* before = to.find(key, at);
  if (before == nullptr) {
    // The first one makes the whole segment, as the catalog counts its pages.
    for (std::uint32_t i = 0; i < clog_pages; ++i)
      put_image(to, batch, slru_page_key(pg::slru_kind::clog, i), at, core::bytes(pg::page_size));
    core::bytes count;
    core::append_le(count, clog_pages);
    return put_image(to, batch, slru_catalog_key(pg::slru_kind::clog, 0), at, count);
  }
  // Of several versions at one LSN the last wins: all that one record does to a page is one version.
  if (to.keys[key].contains(at)) return;
  core::bytes payload;
  const pg::transaction_id xid = page * 32768 + pick(32768);
  encode_clog_status(payload, static_cast<transaction_status>(1 + pick(2)), {&xid, 1});
  std::uint8_t* value = batch.reserve(key, at, 1 + payload.size());
  value[0] = value_tag(value_kind::strata_record, false);
  std::copy(payload.begin(), payload.end(), value + 1);
  core::bytes after = *before;
  expect(apply_strata_record(payload, after));
  to.keys[key][at] = after;
}

void random_history::write_sparse(oracle_timeline& to, write_batch& batch, core::lsn at) {
  const core::page_key key = any_sparse_key();
  core::bytes value(pick(3) == 0 ? 0 : 1 + pick(100), static_cast<std::uint8_t>(random_()));
  put_image(to, batch, key, at, value);
}

}  // namespace strata::tests
