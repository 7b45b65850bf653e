#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

namespace strata::api {

/// Places for work of one kind, of which one group (a tenant) gets at most a quarter: what one of them makes slow holds
/// up nobody else. A request in the name of nobody has the empty group, which has no limit of its own.
class fair_share {
 public:
  explicit fair_share(std::size_t places) : places_(places) {}

  /// False: all are taken, or all that the group may have.
  bool take(const std::string& group) {
    if (taken_ >= places_) return false;
    if (!group.empty()) {
      std::size_t& has = by_group_[group];
      if (has >= group_max()) return false;  // it has some: the entry was there
      ++has;
    }
    ++taken_;
    return true;
  }
  void give_back(const std::string& group) {
    --taken_;
    if (const auto found = by_group_.find(group); found != by_group_.end() && --found->second == 0)
      by_group_.erase(found);
  }
  [[nodiscard]] std::size_t places() const { return places_; }
  [[nodiscard]] std::size_t group_max() const { return std::max<std::size_t>(1, places_ / 4); }
  [[nodiscard]] std::size_t taken() const { return taken_; }

 private:
  std::size_t places_;
  std::size_t taken_ = 0;
  std::map<std::string, std::size_t> by_group_;
};

}  // namespace strata::api
