#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "core/bytes.hpp"
#include "pg/types.hpp"

namespace strata::pg::records {

/// The stored form of an array element in a record.
template <class Element>
struct packed_element;
template <>
struct packed_element<std::uint32_t> {
  static constexpr std::size_t size = 4;
  static std::uint32_t load(const std::uint8_t* from) { return core::load_le<std::uint32_t>(from); }
};
template <>
struct packed_element<relation_fork> {
  static constexpr std::size_t size = 12;
  static relation_fork load(const std::uint8_t* from) {
    return {core::load_le<oid>(from), core::load_le<oid>(from + 4), core::load_le<oid>(from + 8), fork::main};
  }
};

/// An array inside a record, unaligned, its length already checked. Elements are decoded on access.
template <class Element>
class packed_array {
 public:
  packed_array() = default;
  explicit packed_array(core::bytes_view bytes) : bytes_(bytes) {}

  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Element;
    using difference_type = std::ptrdiff_t;
    using pointer = const Element*;
    using reference = Element;
    iterator() = default;
    explicit iterator(const std::uint8_t* at) : at_(at) {}
    Element operator*() const { return packed_element<Element>::load(at_); }
    iterator& operator++() {
      at_ += packed_element<Element>::size;
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator&) const = default;

   private:
    const std::uint8_t* at_ = nullptr;
  };

  [[nodiscard]] std::size_t size() const { return bytes_.size() / packed_element<Element>::size; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  /// Precondition: index < size().
  Element operator[](std::size_t index) const {
    return packed_element<Element>::load(bytes_.data() + index * packed_element<Element>::size);
  }
  [[nodiscard]] iterator begin() const { return iterator(bytes_.data()); }
  [[nodiscard]] iterator end() const { return iterator(bytes_.data() + bytes_.size()); }

 private:
  core::bytes_view bytes_;
};

}  // namespace strata::pg::records
