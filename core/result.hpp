#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "core/error.hpp"

namespace strata::core {

/// A value or an error, with the surface of std::expected<T, error> so that it can become an alias of it.
template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;

  result(T value) : held_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit as in std::expected
  result(core::error e) : held_(std::in_place_index<1>, std::move(e)) {}

  [[nodiscard]] bool has_value() const noexcept { return held_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & { return std::get<0>(held_); }
  const T& value() const& { return std::get<0>(held_); }
  T&& value() && { return std::get<0>(std::move(held_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  core::error& error() & { return std::get<1>(held_); }
  const core::error& error() const& { return std::get<1>(held_); }
  core::error&& error() && { return std::get<1>(std::move(held_)); }

 private:
  std::variant<T, core::error> held_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;

  result() = default;
  result(core::error e) : error_(std::move(e)) {}

  [[nodiscard]] bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }

  core::error& error() & { return *error_; }
  const core::error& error() const& { return *error_; }
  core::error&& error() && { return std::move(*error_); }

 private:
  std::optional<core::error> error_;
};

}  // namespace strata::core

#define STRATA_CONCAT_INNER(a, b) a##b
#define STRATA_CONCAT(a, b) STRATA_CONCAT_INNER(a, b)

/// Return the error of a result<void> or result<T>, if it has one, from the enclosing function.
#define STRATA_TRY(expression) \
  if (auto strata_tried = (expression); !strata_tried) return std::move(strata_tried).error()

/// Declare (or assign) from a result's value, or return its error: STRATA_ASSIGN(auto size, relation_size(...));
#define STRATA_ASSIGN(declaration, expression)                                                                   \
  auto STRATA_CONCAT(strata_tried_, __LINE__) = (expression);                                                    \
  if (!STRATA_CONCAT(strata_tried_, __LINE__)) return std::move(STRATA_CONCAT(strata_tried_, __LINE__)).error(); \
  declaration = *std::move(STRATA_CONCAT(strata_tried_, __LINE__))
