#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "storage/records.hpp"

namespace strata::storage {

class stored_layer;

/// Which layer files hold which keys and LSNs of one timeline: an immutable snapshot. L0 layers are a list; the others
/// are found by the interval of the key space that has the key. Reads only records; `layer(i)` returns the object that
/// was added with one.
class layer_map {
 public:
  struct item {
    layer_record record;
    std::shared_ptr<stored_layer> layer;
  };

  layer_map() : layer_map(std::vector<item>{}) {}
  explicit layer_map(std::vector<item> layers);

  /// A copy of the map without the removed layers (by number) and with the added ones.
  [[nodiscard]] layer_map changed(std::span<const std::uint64_t> removed, std::vector<item> added) const;

  /// All layers, newest end first: the order in which they are read. Indexes below refer to it.
  [[nodiscard]] std::span<const item> layers() const { return layers_; }
  [[nodiscard]] std::span<const std::uint32_t> level0() const { return level0_; }

  /// The files that a read of `key` as of `at` needs.
  struct plan {
    /// The newest image layer at or below `at` that covers the key; completes it.
    const item* image = nullptr;
    /// Versions at or below it are not needed: the image includes them. 0 without an image.
    [[nodiscard]] core::lsn floor() const { return image == nullptr ? core::lsn() : image->record.begin; }
  };
  [[nodiscard]] plan find(const core::page_key& key, core::lsn at) const;
  /// Calls `visit(index)` for the delta layers that may hold versions of the key in (floor, at], newest first within L0
  /// and within the rest.
  template <class Visit>
  void deltas(const core::page_key& key, core::lsn floor, core::lsn at, Visit visit) const {
    for (const std::uint32_t index : level0_)
      if (layers_[index].record.keys.contains(key) && holds(layers_[index].record, floor, at)) visit(index);
    for (const std::uint32_t index : covering(interval_of(key)))
      if (layers_[index].record.kind == layer_kind::delta && holds(layers_[index].record, floor, at)) visit(index);
  }

  /// The key space, cut where any layer above L0 begins or ends: interval i is [boundary(i), boundary(i + 1)).
  [[nodiscard]] std::size_t interval_count() const { return boundaries_.size(); }
  [[nodiscard]] core::key_range interval(std::size_t index) const;
  [[nodiscard]] std::size_t interval_of(const core::page_key& key) const;
  /// Layers above L0 that cover an interval, newest end first.
  [[nodiscard]] std::span<const std::uint32_t> covering(std::size_t interval) const {
    return std::span(covering_).subspan(starts_[interval], starts_[interval + 1] - starts_[interval]);
  }

  /// Whether every key of the range is in an image layer with first <= LSN <= last, other than `except`.
  [[nodiscard]] bool images_cover(const core::key_range& range, core::lsn first, core::lsn last,
                                  std::uint64_t except) const;

  static bool holds(const layer_record& delta, core::lsn floor, core::lsn at) {
    return delta.begin <= at && delta.end > floor + 1;
  }

 private:
  std::vector<item> layers_;
  std::vector<std::uint32_t> level0_;
  std::vector<core::page_key> boundaries_;  // the first is page_key::min()
  std::vector<std::uint32_t> starts_;       // one more than boundaries_
  std::vector<std::uint32_t> covering_;
};

}  // namespace strata::storage
