#include "storage/mapping/directory.hpp"

#include <algorithm>

#include "pg/page/checksum.hpp"
#include "storage/key_space.hpp"

namespace strata::storage::mapping {
namespace {

core::result<std::uint32_t> decode_size(const core::page_key& key, core::bytes_view value) {
  if (value.size() != sizeof(std::uint32_t))
    return core::error{core::errc::corrupt, "read size under key " + core::to_string(key) + ": it has " +
                                                std::to_string(value.size()) + " bytes"};
  return core::load_le<std::uint32_t>(value.data());
}

/// Visits sizes in a range of a catalog.
template <class Visitor>
core::result<void> scan_sizes(const timeline_store& store, const core::key_range& keys, core::lsn at,
                              const Visitor& visitor) {
  std::optional<core::error> failure;
  STRATA_TRY(store.scan(keys, at, [&](const core::page_key& key, core::bytes_view value) {
    auto size = decode_size(key, value);
    if (size)
      visitor(key, *size);
    else
      failure = std::move(size).error();
    return !failure;
  }));
  if (failure) return *std::move(failure);
  return {};
}

bool may_be_absent(pg::fork fork) { return fork == pg::fork::fsm || fork == pg::fork::vm; }

}  // namespace

core::result<std::optional<std::uint32_t>> relation_size(const timeline_store& store, const pg::relation_fork& of,
                                                         core::lsn at, read_mode mode) {
  const core::page_key key = relation_catalog_key(of);
  STRATA_ASSIGN(const std::optional<core::bytes> value, store.read_value(key, at, mode));
  if (!value) return std::optional<std::uint32_t>();
  STRATA_ASSIGN(const std::uint32_t size, decode_size(key, *value));
  return std::optional(size);
}

core::result<bool> relation_exists(const timeline_store& store, const pg::relation_fork& of, core::lsn at,
                                   read_mode mode) {
  STRATA_ASSIGN(const auto size, relation_size(store, of, at, mode));
  return size.has_value();
}

core::result<std::vector<relation_entry>> relations(const timeline_store& store, pg::oid tablespace, pg::oid database,
                                                    core::lsn at) {
  std::vector<relation_entry> found;
  STRATA_TRY(scan_sizes(store, kind_range(key_kind::relation_catalog, tablespace, database), at,
                        [&](const core::page_key& key, std::uint32_t size) {
                          found.push_back({relation_of(key), size});
                        }));
  return found;
}

core::result<std::vector<database_entry>> databases(const timeline_store& store, core::lsn at) {
  std::vector<database_entry> found;
  STRATA_TRY(store.scan(kind_range(key_kind::database_catalog), at, [&](const core::page_key& key, core::bytes_view) {
    found.push_back({key.tablespace, key.database});
    return true;
  }));
  return found;
}

core::result<std::uint64_t> database_size_bytes(const timeline_store& store, pg::oid database, core::lsn at) {
  STRATA_ASSIGN(auto directories, databases(store, at));
  std::erase_if(directories, [&](const database_entry& each) { return each.database != database; });
  if (database == 0) directories.push_back({pg::global_tablespace, 0});
  if (directories.empty())
    return core::error{core::errc::not_found, "size of database " + std::to_string(database) + ": no such database"};
  std::uint64_t blocks = 0;
  for (const database_entry& each : directories)
    STRATA_TRY(scan_sizes(store, kind_range(key_kind::relation_catalog, each.tablespace, each.database), at,
                          [&](const core::page_key&, std::uint32_t size) { blocks += size; }));
  return blocks * pg::page_size;
}

core::result<std::vector<pg::oid>> tablespaces(const timeline_store& store, core::lsn at) {
  std::vector<pg::oid> found;
  STRATA_TRY(store.scan(kind_range(key_kind::tablespace_catalog), at, [&](const core::page_key& key, core::bytes_view) {
    found.push_back(key.tablespace);
    return true;
  }));
  return found;
}

core::result<std::vector<slru_segment_entry>> slru_segments(const timeline_store& store, pg::slru_kind kind,
                                                            core::lsn at) {
  std::vector<slru_segment_entry> found;
  STRATA_TRY(scan_sizes(store, kind_range(key_kind::slru_catalog, static_cast<std::uint32_t>(kind)), at,
                        [&](const core::page_key& key, std::uint32_t pages) {
                          found.push_back({key.relation, pages});
                        }));
  for (const slru_segment_entry& each : found)
    if (each.pages > pg::pages_per_slru_segment)
      return core::error{core::errc::corrupt, "read size of status file " + std::to_string(each.segment) + ": " +
                                                  std::to_string(each.pages) + " pages"};
  return found;
}

core::result<core::bytes> slru_segment(const timeline_store& store, pg::slru_kind kind, std::uint32_t segment,
                                       core::lsn at) {
  const core::page_key key = slru_catalog_key(kind, segment);
  STRATA_ASSIGN(const std::optional<core::bytes> value, store.read_value(key, at, read_mode::may_block));
  if (!value)
    return core::error{core::errc::not_found, "read status file " + std::to_string(segment) + ": no such segment"};
  STRATA_ASSIGN(const std::uint32_t pages, decode_size(key, *value));
  if (pages > pg::pages_per_slru_segment)
    return core::error{core::errc::corrupt, "read status file " + std::to_string(segment) + ": too many pages"};
  core::bytes content(std::size_t{pages} * pg::page_size);
  std::vector<page_read> reads;
  for (std::uint32_t i = 0; i < pages; ++i)
    reads.push_back({slru_page_key(kind, segment * pg::pages_per_slru_segment + i),
                     core::bytes_span(content).subspan(i * pg::page_size, pg::page_size),
                     {}});
  store.read_pages(reads, at, read_mode::may_block);
  for (page_read& each : reads)
    if (each.failure) return (*std::move(each.failure)).within("read status file " + std::to_string(segment));
  return content;
}

void read_relation_pages(const timeline_store& store, std::span<page_request> requests, core::lsn at, read_mode mode) {
  std::vector<page_read> reads;
  std::vector<page_request*> readers;
  reads.reserve(requests.size());
  readers.reserve(requests.size());
  const pg::relation_fork* sized = nullptr;
  core::result<std::optional<std::uint32_t>> size = std::optional<std::uint32_t>();
  for (page_request& request : requests) {
    if (sized == nullptr || *sized != request.relation) {
      size = relation_size(store, request.relation, at, mode);
      sized = &request.relation;
    }
    if (!size) {
      request.failure = size.error().within("size of " + pg::to_string(request.relation));
    } else if (!*size && !may_be_absent(request.relation.fork)) {
      request.failure = core::error{core::errc::not_found, "read " + pg::to_string(request.relation) + " at " +
                                                               core::to_string(at) + ": no such relation"};
    } else if (request.block >= size->value_or(0) && request.must_exist) {
      request.failure = core::error{core::errc::out_of_range, "read block " + std::to_string(request.block) + " of " +
                                                                  pg::to_string(request.relation) + " at " +
                                                                  core::to_string(at) + ": the relation has " +
                                                                  std::to_string(size->value_or(0)) + " blocks"};
    } else if (request.block >= size->value_or(0)) {
      std::fill(request.page.begin(), request.page.end(), std::uint8_t{0});
    } else {
      reads.push_back({relation_page_key(request.relation, request.block), request.page, {}});
      readers.push_back(&request);
    }
  }
  store.read_pages(reads, at, mode);
  const bool checksums = !reads.empty() && store.record().data_checksums;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    if (reads[i].failure)
      readers[i]->failure = std::move(reads[i].failure);
    else if (checksums)
      pg::page::set_page_checksum(readers[i]->page, readers[i]->block);
  }
}

}  // namespace strata::storage::mapping
