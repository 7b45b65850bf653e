#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace strata::core {

using bytes = std::vector<std::uint8_t>;
using bytes_view = std::span<const std::uint8_t>;
using bytes_span = std::span<std::uint8_t>;

static_assert(std::endian::native == std::endian::little, "Strata runs on little-endian machines only");

/// Unaligned little-endian load and store; the caller has checked the bounds.
template <class T>
[[nodiscard]] inline T load_le(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
inline void store_le(std::uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

/// Unaligned big-endian load and store of unsigned integers; the caller has checked the bounds.
template <class T>
[[nodiscard]] inline T load_be(const std::uint8_t* from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | from[i]);
  return value;
}
template <>
[[nodiscard]] inline std::uint8_t load_be<std::uint8_t>(const std::uint8_t* from) {
  return *from;
}
template <class T>
inline void store_be(std::uint8_t* to, T value) {
  for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(static_cast<std::uint64_t>(value) >> 8))
    to[i] = static_cast<std::uint8_t>(value);
}

/// Appends an integer to a buffer.
template <class T>
inline void append_le(bytes& to, T value) {
  to.resize(to.size() + sizeof value);
  store_le(to.data() + to.size() - sizeof value, value);
}
template <class T>
inline void append_be(bytes& to, T value) {
  to.resize(to.size() + sizeof value);
  store_be(to.data() + to.size() - sizeof value, value);
}
inline void append(bytes& to, bytes_view from) { to.insert(to.end(), from.begin(), from.end()); }

/// Reads integers and slices from a view, front to back. The first read past the end is permanent: from then on every
/// read returns zero or an empty slice and ok() is false, so callers check once, at the end or before they use a
/// length.
class byte_reader {
 public:
  explicit byte_reader(bytes_view from) : rest_(from) {}

  template <class T>
  T le() {
    if (rest_.size() < sizeof(T)) return fail<T>();
    T value = load_le<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  template <class T>
  T be() {
    if (rest_.size() < sizeof(T)) return fail<T>();
    T value = load_be<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  bytes_view take(std::size_t count) {
    if (rest_.size() < count) return fail<bytes_view>();
    bytes_view slice = rest_.first(count);
    rest_ = rest_.subspan(count);
    return slice;
  }
  void skip(std::size_t count) { take(count); }
  [[nodiscard]] bytes_view rest() const { return rest_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  [[nodiscard]] bool ok() const { return ok_; }
  /// All bytes were read, and no read was past the end.
  [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }

 private:
  template <class T>
  T fail() {
    ok_ = false;
    rest_ = {};
    return T{};
  }
  bytes_view rest_;
  bool ok_ = true;
};

}  // namespace strata::core
