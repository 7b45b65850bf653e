#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "storage/layers/arena.hpp"
#include "storage/timeline/read_path.hpp"

namespace strata::storage {

/// Collects the versions that a read of some keys needs: the newest complete one and the records above it. Reuses its
/// memory for the next read.
class version_collector {
 public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  struct version {
    core::lsn at;
    core::bytes_view value;
    std::uint32_t newer = none;  ///< the next one to apply
  };
  struct wanted {
    core::page_key key;
    std::uint8_t* page = nullptr;  ///< a whole page image is copied here, if set
    bool has_page = false;         ///< whether one was copied
    bool done = false;
    std::uint32_t oldest = none;  ///< the first version to use: complete, unless has_page
    std::optional<core::error> failure;
  };

  void clear();
  void want(const core::page_key& key, std::uint8_t* page) { wanted_.push_back({.key = key, .page = page}); }

  /// Precondition: keys were wanted in ascending order. Afterwards a key that is neither complete nor failed does not
  /// exist.
  void collect(std::span<const read_level> levels, read_mode mode);

  [[nodiscard]] wanted& at(std::size_t index) { return wanted_[index]; }
  [[nodiscard]] const version& version_at(std::uint32_t index) const { return versions_[index]; }
  /// Whether the oldest version found is complete.
  [[nodiscard]] bool complete(const wanted& of) const;

 private:
  struct task {
    std::uint32_t layer;
    std::uint32_t wanted;
  };
  bool search_memory(const read_level& level, wanted& of, core::lsn floor);
  void search_files(const read_level& level, read_mode mode);
  void search_layer(const layer_map::item& item, const read_level& level, std::span<const task> tasks, read_mode mode);
  void take(wanted& of, core::lsn at, core::bytes_view value, bool stays);

  std::vector<wanted> wanted_;
  std::vector<core::lsn> floors_;
  std::vector<version> versions_;
  std::vector<task> tasks_;
  arena arena_;
};

}  // namespace strata::storage
