#pragma once

#include <exception>
#include <string>
#include <utility>

#include "cli/exit_codes.hpp"
#include "core/result.hpp"

namespace strata::cli {

/// Thrown by commands, caught by main: what went wrong, why, and the command to try next (may be empty).
class failure final : public std::exception {
 public:
  failure(exit_code code, std::string slug, std::string what, std::string why, std::string next)
      : code_(code), slug_(std::move(slug)), what_(std::move(what)), why_(std::move(why)), next_(std::move(next)) {}
  failure(const core::error& e, std::string what, std::string next)
      : failure(exit_code_for(e.code), std::string(core::to_string(e.code)), std::move(what), e.detail,
                std::move(next)) {}

  [[nodiscard]] exit_code code() const { return code_; }
  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }
  /// "error: can't create dev: ...\nnext:  strata ..."
  [[nodiscard]] std::string text(bool color) const;
  /// {"error": {"code", "message", "why", "next", "exit_code"}}
  [[nodiscard]] std::string json() const;

 private:
  exit_code code_;
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

}  // namespace strata::cli
