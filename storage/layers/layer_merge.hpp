#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/layer_map.hpp"

namespace strata::storage {

/// Reads several delta layers as one: key ascending, LSN descending, each version once (of equal ones that of the
/// newest layer).
class layer_merge {
 public:
  static core::result<layer_merge> open(std::span<const layer_map::item> layers);
  layer_merge(layer_merge&&) = default;

  [[nodiscard]] bool valid() const { return !heap_.empty(); }
  [[nodiscard]] const core::page_key& key() const { return heap_.front().cursor->key(); }
  [[nodiscard]] core::lsn at() const { return heap_.front().cursor->at(); }
  [[nodiscard]] core::bytes_view value() const { return heap_.front().cursor->value(); }
  core::result<void> next();

 private:
  struct input {
    std::shared_ptr<const layer_reader> reader;
    std::unique_ptr<layer_cursor> cursor;
    std::uint64_t number;
  };
  layer_merge() = default;
  /// For the heap functions: whether `a` comes after `b`.
  static bool after(const input& a, const input& b);
  core::result<void> step();

  std::vector<input> heap_;
};

}  // namespace strata::storage
