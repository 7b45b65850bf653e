#pragma once

#include <exception>

namespace strata::pg::page {

/// Contradicting bytes of a page or a record. Thrown by the checks of pg/page and pg/redo; apply() turns it into a
/// core::error: it never leaves pg. The text is fixed and contains nothing of the page.
class malformed : public std::exception {
 public:
  explicit malformed(const char* what) : what_(what) {}
  [[nodiscard]] const char* what() const noexcept override { return what_; }

 private:
  const char* what_;
};

[[noreturn]] void throw_malformed(const char* what);

inline void require(bool holds, const char* what) {
  if (!holds) [[unlikely]]
    throw_malformed(what);
}

}  // namespace strata::pg::page
