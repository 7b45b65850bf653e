#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace strata::tests::model_check {

/// Gives equal values the same small number. The few different parts that many states are made of are kept once, and
/// what a part does with an input is worked out once.
template <class T>
class interner {
 public:
  std::uint32_t number_of(const T& value) {
    const auto [found, added] = numbers_.emplace(value, static_cast<std::uint32_t>(values_.size()));
    if (added) values_.push_back(&found->first);
    return found->second;
  }
  const T& operator[](std::uint32_t number) const { return *values_[number]; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }

 private:
  std::map<T, std::uint32_t> numbers_;
  std::vector<const T*> values_;
};

}  // namespace strata::tests::model_check
