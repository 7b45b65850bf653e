#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace strata::core {

/// Kinds of errors, grouped by what the caller should do (see advice()).
enum class errc {
  // retry later: nothing was done, the same call may succeed soon
  busy,         ///< a bounded queue or buffer is full
  would_block,  ///< the data is not in memory and the caller asked not to wait for the disk
  unavailable,  ///< the peer or the object is not ready (starting, stopping, reconnecting)
  timeout,      ///< the deadline passed before the work was started
  disk_full,    ///< no space left; nothing was changed
  // wrong place: the object does not exist here
  not_found,
  // refused: the same call can never succeed as it is
  invalid_argument,
  conflict,      ///< the name or the directory is taken, or the object is in use
  out_of_range,  ///< an LSN or a time outside the retention window
  unsupported,
  permission_denied,
  // outcome unknown: the work may or may not have happened
  outcome_unknown,
  // corrupt: stored or received bytes failed their check; the detail names the place
  corrupt,
  // an operating system or library failure that fits none of the above
  io_error,
};

/// What the caller may do next.
enum class advice { retry_later, look_elsewhere, give_up, find_out, repair };

advice advice_for(errc code) noexcept;
std::string_view to_string(errc code) noexcept;

/// An error with its context. Details are verb phrases that chain:
/// "append wal: open segment 41: no such file".
struct error {
  errc code = errc::io_error;
  std::string detail;

  /// The same error, prefixed by the caller's operation.
  [[nodiscard]] error within(std::string_view doing) && {
    return {code, std::string(doing) + ": " + std::move(detail)};
  }
  [[nodiscard]] error within(std::string_view doing) const& { return error(*this).within(doing); }
};

/// "detail (code)", for logs and messages.
std::string to_string(const error& e);

/// An error made from errno, e.g. from_errno("open layer 4711"). ENOSPC becomes disk_full, ENOENT not_found.
error from_errno(std::string_view doing, int saved_errno);

}  // namespace strata::core
