#pragma once

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <optional>
#include <ostream>
#include <type_traits>

#include "core/result.hpp"

// How Boost.Test shows our values in the message of a failed check: BOOST_TEST(a == b) and BOOST_TEST(result) instead
// of BOOST_TEST((a == b)) and BOOST_TEST(result.has_value()), which show nothing.

namespace strata::tests {

template <class T>
concept has_text = requires(const T& value, std::ostream& to) {
  to << to_string(value);
};
template <class T>
concept has_stream = requires(const T& value, std::ostream& to) {
  to << value;
};
/// Shown by its to_string(), or, as an enum, by its number.
template <class T>
concept shown_here = !has_stream<T> && (has_text<T> || std::is_enum_v<T>);

template <class T>
void show(std::ostream& to, const T& value) {
  if constexpr (has_text<T>)
    to << to_string(value);
  else if constexpr (std::is_enum_v<T>)
    to << "enumerator " << +static_cast<std::underlying_type_t<T>>(value);
  else if constexpr (has_stream<T>)
    to << value;
  else
    to << "a value";
}

}  // namespace strata::tests

namespace boost::test_tools::tt_detail {

template <class T>
requires strata::tests::shown_here<T>
struct print_log_value<T> {
  void operator()(std::ostream& to, const T& value) { strata::tests::show(to, value); }
};

template <class T>
struct print_log_value<strata::core::result<T>> {
  void operator()(std::ostream& to, const strata::core::result<T>& of) {
    if (!of)
      to << "error: " << to_string(of.error());
    else if constexpr (std::is_void_v<T>)
      to << "success";
    else
      strata::tests::show(to, *of);
  }
};

template <class T>
struct print_log_value<std::optional<T>> {
  void operator()(std::ostream& to, const std::optional<T>& of) {
    if (of)
      strata::tests::show(to, *of);
    else
      to << "nothing";
  }
};

template <class Rep, class Period>
struct print_log_value<std::chrono::duration<Rep, Period>> {
  void operator()(std::ostream& to, const std::chrono::duration<Rep, Period>& of) {
    to << std::chrono::duration<double>(of).count() << " s";
  }
};

}  // namespace boost::test_tools::tt_detail
