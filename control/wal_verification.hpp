#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "control/reporter.hpp"
#include "core/lsn.hpp"
#include "pg/verify/report.hpp"

namespace strata::control {

struct wal_verification_request {
  std::string where;                   ///< a data directory, a directory of WAL segments, or a connection string
  std::string base{};                  ///< an older copy of the data directory; empty: none
  core::lsn from{};                    ///< 0: the first record; of a running server where its WAL ends now
  core::lsn until{};                   ///< 0: the end
  std::chrono::milliseconds during{};  ///< how long a running server is followed
  std::uint64_t pages_max = 1;         ///< pages beyond are not followed
};

/// What was verified, and how far WAL was read.
struct wal_verification {
  pg::verify::report report;
  core::lsn start;
  core::lsn end;
  std::string why_ended;
  std::chrono::duration<double> took{};
  [[nodiscard]] std::uint64_t bytes() const { return end > start ? end - start : 0; }
};

/// Replays WAL in memory and compares pages with Postgres's own. Mismatches are no failure: each goes to `found`.
wal_verification verify_wal(const wal_verification_request& asked, reporter& report,
                            const std::function<void(const pg::verify::mismatch&)>& found);

/// For programs.
nlohmann::json json_of(const wal_verification& of);
nlohmann::json json_of(const pg::verify::mismatch& of);

}  // namespace strata::control
