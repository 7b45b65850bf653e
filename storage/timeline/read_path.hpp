#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"
#include "pg/redo/redo.hpp"
#include "storage/layers/layer_map.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/page_read.hpp"

/// How values are found and pages rebuilt (docs/walks/get_page.md). Private to the timeline store.
namespace strata::storage {

/// An immutable snapshot of one timeline. Memory layers are newest first; the first one still grows, by versions that
/// are not visible yet.
struct timeline_view {
  std::vector<std::shared_ptr<memory_layer>> memory;
  std::shared_ptr<const layer_map> files;
};

/// A timeline or an ancestor of it, and the LSN up to which a read uses it.
struct read_level {
  std::shared_ptr<const timeline_view> view;
  core::lsn bound;
};

/// Rebuilds pages from the levels (the timeline itself first, then its ancestors).
void rebuild_pages(std::span<const read_level> levels, std::span<page_read> reads, read_mode mode,
                   const pg::redo::redo_context& context);

/// The newest value of a sparse key.
core::result<std::optional<core::bytes>> find_value(std::span<const read_level> levels, const core::page_key& key,
                                                    read_mode mode);

/// Existing sparse keys of a range.
core::result<void> scan_values(std::span<const read_level> levels, const core::key_range& keys,
                               const std::function<bool(const core::page_key&, core::bytes_view)>& visitor);

}  // namespace strata::storage
