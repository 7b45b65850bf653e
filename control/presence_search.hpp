#pragma once

#include <optional>

#include "core/lsn.hpp"

namespace strata::control {

/// Looks for the point nearest to one at which something was missing, and at which it was there: by a bounded number of
/// looks, each of which is dear. Something may come and go more than once; what is found is a point at which it was
/// there, and between it and the missing one no look has found it. (Pure.)
class presence_search {
 public:
  /// Precondition: first <= missing <= last.
  presence_search(core::lsn first, core::lsn missing, core::lsn last, unsigned looks_max);

  /// Where to look now; nullopt: the search has ended.
  [[nodiscard]] std::optional<core::lsn> next() const;
  /// What was seen there.
  void seen(bool there);
  /// The nearest point so far.
  [[nodiscard]] std::optional<core::lsn> nearest() const { return there_; }

 private:
  [[nodiscard]] std::optional<core::lsn> candidate() const;

  core::lsn first_;
  core::lsn missing_;  ///< on the way to there_: the nearest look without it
  core::lsn last_;
  std::optional<core::lsn> there_;
  unsigned looks_ = 0;  ///< done
  unsigned looks_max_;
};

}  // namespace strata::control
