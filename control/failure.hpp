#pragma once

#include <exception>
#include <string>
#include <utility>

#include "core/result.hpp"

namespace strata::control {

/// Thrown by workflows: what went wrong, why, and the command to try next (may be empty).
class failure final : public std::exception {
 public:
  /// `slug`: what programs tell it by, when no error code says enough; empty: the code's name.
  failure(core::errc code, std::string what, std::string why, std::string next, std::string slug = "")
      : code_(code), slug_(std::move(slug)), what_(std::move(what)), why_(std::move(why)), next_(std::move(next)) {
    if (slug_.empty()) slug_ = core::to_string(code);
  }
  failure(const core::error& e, std::string what, std::string next)
      : failure(e.code, std::move(what), e.detail, std::move(next)) {}

  [[nodiscard]] core::errc code() const { return code_; }
  [[nodiscard]] const std::string& slug() const { return slug_; }
  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }
  [[nodiscard]] const std::string& why() const { return why_; }
  [[nodiscard]] const std::string& next() const { return next_; }
  /// "error: can't create dev\nwhy:   ...\nnext:  strata ...\n"
  [[nodiscard]] std::string text() const {
    return "error: " + what_ + "\n" + (why_.empty() ? "" : "why:   " + why_ + "\n") +
           (next_.empty() ? "" : "next:  " + next_ + "\n");
  }

 private:
  core::errc code_;
  std::string slug_;
  std::string what_;
  std::string why_;
  std::string next_;
};

/// The value, or a failure that says what couldn't be done.
template <class T>
T need(core::result<T> tried, const std::string& what, const std::string& next = "") {
  if (!tried) throw failure(tried.error(), what, next);
  return *std::move(tried);
}
inline void need(core::result<void> tried, const std::string& what, const std::string& next = "") {
  if (!tried) throw failure(tried.error(), what, next);
}

}  // namespace strata::control
