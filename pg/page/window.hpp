#pragma once

#include <cstddef>
#include <cstring>

#include "core/bytes.hpp"
#include "pg/page/malformed.hpp"

namespace strata::pg::page {

/// A range of a page that checks every access and throws malformed.
class window {
 public:
  explicit window(core::bytes_span bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] core::bytes_view view() const { return bytes_; }

  template <class T>
  [[nodiscard]] T load(std::size_t at) const {
    return core::load_le<T>(range(at, sizeof(T)).data());
  }
  template <class T>
  void store(std::size_t at, T value) {
    core::store_le<T>(range(at, sizeof(T)).data(), value);
  }
  /// `from` may overlap this window.
  void write(std::size_t at, core::bytes_view from) {
    core::bytes_span to = range(at, from.size());
    if (!from.empty()) std::memmove(to.data(), from.data(), from.size());
  }
  void fill(std::size_t at, std::size_t length, std::uint8_t value) {
    core::bytes_span to = range(at, length);
    if (!to.empty()) std::memset(to.data(), value, to.size());
  }
  [[nodiscard]] window part(std::size_t at, std::size_t length) const { return window(range(at, length)); }

 private:
  [[nodiscard]] core::bytes_span range(std::size_t at, std::size_t length) const {
    require(at <= bytes_.size() && length <= bytes_.size() - at, "access outside an item");
    return bytes_.subspan(at, length);
  }

  core::bytes_span bytes_;
};

/// Reads a payload front to back and throws malformed where it ends too early.
class cursor {
 public:
  explicit cursor(core::bytes_view from) : rest_(from) {}

  template <class T>
  T take() {
    return core::load_le<T>(take_bytes(sizeof(T)).data());
  }
  core::bytes_view take_bytes(std::size_t count) {
    require(count <= rest_.size(), "payload too short");
    core::bytes_view taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  void skip(std::size_t count) { take_bytes(count); }
  core::bytes_view take_rest() { return take_bytes(rest_.size()); }
  /// The bytes left, without consuming them.
  [[nodiscard]] core::bytes_view rest() const { return rest_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  void require_finished() const { require(rest_.empty(), "payload too long"); }

 private:
  core::bytes_view rest_;
};

}  // namespace strata::pg::page
