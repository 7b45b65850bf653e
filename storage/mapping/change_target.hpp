#pragma once

#include <cstring>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "storage/value.hpp"
#include "storage/write_batch.hpp"

namespace strata::storage::mapping {

/// Target of one record's changes: the batch being filled, and the record's end LSN.
struct change_target {
  write_batch& batch;
  core::lsn at;

  void put(const core::page_key& key, core::bytes_view value) const { batch.put_image(key, at, value); }
  void put_tombstone(const core::page_key& key) const { batch.put_image(key, at, {}); }
  template <class T>
  void put_number(const core::page_key& key, T value) const {
    std::uint8_t raw[sizeof(T)];
    core::store_le(raw, value);
    batch.put_image(key, at, raw);
  }
  /// A page of zeros in one byte: an empty change that starts from zeros.
  void put_zero_page(const core::page_key& key) const {
    *batch.reserve(key, at, 1) = value_tag(value_kind::strata_record, true);
  }
  void put_strata_record(const core::page_key& key, bool initial, core::bytes_view payload) const {
    std::uint8_t* to = batch.reserve(key, at, payload.size() + 1);
    *to = value_tag(value_kind::strata_record, initial);
    if (!payload.empty()) std::memcpy(to + 1, payload.data(), payload.size());
  }
};

}  // namespace strata::storage::mapping
