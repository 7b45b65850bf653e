#pragma once

#include <vector>

#include "pg/redo/action.hpp"

namespace strata::pg::redo {

/// Item numbers in a payload, unaligned.
class item_list {
 public:
  item_list(page::cursor& from, std::size_t count) : bytes_(from.take_bytes(count * 2)) {}
  [[nodiscard]] std::size_t size() const { return bytes_.size() / 2; }
  [[nodiscard]] page::item_number operator[](std::size_t i) const {
    return core::load_le<page::item_number>(bytes_.data() + 2 * i);
  }
  /// A copy for functions of slotted_page.
  [[nodiscard]] std::vector<page::item_number> numbers() const {
    std::vector<page::item_number> all(size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = (*this)[i];
    return all;
  }

 private:
  core::bytes_view bytes_;
};

}  // namespace strata::pg::redo
