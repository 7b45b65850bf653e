#pragma once

#include <array>
#include <memory>
#include <string>

#include "core/bytes.hpp"
#include "wal/log.hpp"

namespace strata::tests {

/// A log of small segments: files of a few KiB have all that files of 16 MiB have.
inline wal::log_options small_log(const std::string& directory) {
  return {.directory = directory,
          .tenant = core::tenant_id{{1, 2, 3}},
          .timeline = core::timeline_id{{4, 5, 6}},
          .segment_size = 4096,
          .preallocated_bytes = 1024};
}
inline constexpr core::lsn small_log_begin{3 * 4096 + 1000};

/// What is at `position`, as a writer of that generation wrote it. Never 0, so that nothing lost looks like it.
inline std::uint8_t wal_byte(core::lsn position, std::uint8_t generation) {
  const auto mixed = (position.value * 0x9E3779B97F4A7C15u) >> 40;
  return static_cast<std::uint8_t>((mixed ^ generation * 37u) | 1u);
}
inline core::bytes wal_bytes(core::lsn begin, std::size_t count, std::uint8_t generation = 0) {
  core::bytes made(count);
  for (std::size_t i = 0; i < count; ++i) made[i] = wal_byte(begin + i, generation);
  return made;
}

/// For the message of a check: Boost makes it even when it is not shown.
template <class T>
std::string why(const core::result<T>& failed) {
  return failed ? std::string() : to_string(failed.error());
}

inline core::result<void> append_to(wal::log& to, core::bytes_view bytes) {
  const std::array<core::bytes_view, 1> parts{bytes};
  return to.append(parts);
}
inline core::result<core::bytes> read_all(const wal::log& of) {
  core::bytes all(of.end() - of.begin());
  if (all.empty()) return all;
  STRATA_ASSIGN(const auto got, of.read(of.begin(), all));
  all.resize(got);
  return all;
}

}  // namespace strata::tests
