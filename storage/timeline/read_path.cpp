#include "storage/timeline/read_path.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "pg/redo/block_record.hpp"
#include "storage/key_space.hpp"
#include "storage/strata_record.hpp"
#include "storage/timeline/version_collector.hpp"
#include "storage/value.hpp"

namespace strata::storage {

namespace {

/// One read at a time per thread; its memory is kept for the next.
version_collector& collector_of_thread() {
  thread_local version_collector collector;
  collector.clear();
  return collector;
}

core::error missing(const core::page_key& key, core::lsn at) {
  return {core::errc::corrupt,
          "missing page: no base for key " + core::to_string(key) + " as of " + core::to_string(at)};
}

core::result<void> apply_version(const version_collector::version& version, const core::page_key& key,
                                 core::bytes_span page, const pg::redo::redo_context& context) {
  const value_view value = view_of(version.value);
  switch (value.kind) {
    case value_kind::block_record: {
      STRATA_ASSIGN(const pg::redo::block_record record, pg::redo::decode_block_record(value.payload));
      return pg::redo::apply(record, version.at, context, page);
    }
    case value_kind::strata_record: return apply_strata_record(value.payload, page);
    case value_kind::image:
      return core::error{core::errc::corrupt, "the image of page " + core::to_string(key) + " has " +
                                                  std::to_string(value.payload.size()) + " bytes"};
  }
  return core::error{core::errc::corrupt, "unknown kind of value: " + std::to_string(static_cast<int>(value.kind))};
}

core::result<void> rebuild(const version_collector& from, version_collector::wanted& of, core::bytes_span page,
                           core::lsn at, const pg::redo::redo_context& context) {
  if (of.failure) return *std::move(of.failure);
  if (!from.complete(of)) return missing(of.key, at);
  if (!of.has_page) std::memset(page.data(), 0, page.size());
  for (std::uint32_t i = of.oldest; i != version_collector::none; i = from.version_at(i).newer) {
    const auto& version = from.version_at(i);
    if (auto applied = apply_version(version, of.key, page, context); !applied)
      return std::move(applied).error().within("rebuild page " + core::to_string(of.key) + " with the version at " +
                                               core::to_string(version.at));
  }
  return {};
}

}  // namespace

void rebuild_pages(std::span<const read_level> levels, std::span<page_read> reads, read_mode mode,
                   const pg::redo::redo_context& context) {
  thread_local std::vector<std::uint32_t> order;
  order.clear();
  for (std::uint32_t i = 0; i < reads.size(); ++i) {
    reads[i].failure.reset();
    if (reads[i].page.size() == pg::page_size) {
      order.push_back(i);
    } else {
      reads[i].failure = core::error{core::errc::invalid_argument, "read a page into a buffer of the wrong size"};
    }
  }
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return reads[a].key < reads[b].key; });
  version_collector& collector = collector_of_thread();
  for (const std::uint32_t i : order) collector.want(reads[i].key, reads[i].page.data());
  collector.collect(levels, mode);
  for (std::size_t i = 0; i < order.size(); ++i) {
    page_read& read = reads[order[i]];
    if (auto rebuilt = rebuild(collector, collector.at(i), read.page, levels.front().bound, context); !rebuilt)
      read.failure = std::move(rebuilt).error();
  }
}

core::result<std::optional<core::bytes>> find_value(std::span<const read_level> levels, const core::page_key& key,
                                                    read_mode mode) {
  version_collector& collector = collector_of_thread();
  collector.want(key, nullptr);
  collector.collect(levels, mode);
  version_collector::wanted& of = collector.at(0);
  if (of.failure) return *std::move(of.failure);
  if (of.oldest == version_collector::none) return std::optional<core::bytes>();
  const auto& version = collector.version_at(of.oldest);
  const value_view value = view_of(version.value);
  if (value.kind != value_kind::image || version.newer != version_collector::none)
    return core::error{core::errc::corrupt,
                       "value of key " + core::to_string(key) + " at " + core::to_string(version.at) + " is not whole"};
  if (value.payload.empty()) return std::optional<core::bytes>();
  return std::optional(core::bytes(value.payload.begin(), value.payload.end()));
}

}  // namespace strata::storage
