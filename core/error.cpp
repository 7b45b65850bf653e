#include "core/error.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace strata::core {

advice advice_for(errc code) noexcept {
  switch (code) {
    case errc::busy:
    case errc::would_block:
    case errc::unavailable:
    case errc::timeout:
    case errc::disk_full: return advice::retry_later;
    case errc::not_found: return advice::look_elsewhere;
    case errc::invalid_argument:
    case errc::conflict:
    case errc::out_of_range:
    case errc::unsupported:
    case errc::permission_denied: return advice::give_up;
    case errc::outcome_unknown: return advice::find_out;
    case errc::corrupt:
    case errc::io_error: return advice::repair;
  }
  return advice::repair;
}

std::string_view to_string(errc code) noexcept {
  switch (code) {
    case errc::busy: return "busy";
    case errc::would_block: return "would_block";
    case errc::unavailable: return "unavailable";
    case errc::timeout: return "timeout";
    case errc::disk_full: return "disk_full";
    case errc::not_found: return "not_found";
    case errc::invalid_argument: return "invalid_argument";
    case errc::conflict: return "conflict";
    case errc::out_of_range: return "out_of_range";
    case errc::unsupported: return "unsupported";
    case errc::permission_denied: return "permission_denied";
    case errc::outcome_unknown: return "outcome_unknown";
    case errc::corrupt: return "corrupt";
    case errc::io_error: return "io_error";
  }
  return "unknown";
}

std::string to_string(const error& e) { return e.detail + " (" + std::string(to_string(e.code)) + ")"; }

error from_errno(std::string_view doing, int saved_errno) {
  errc code = errc::io_error;
  if (saved_errno == ENOSPC || saved_errno == EDQUOT) code = errc::disk_full;
  if (saved_errno == ENOENT) code = errc::not_found;
  if (saved_errno == EEXIST) code = errc::conflict;
  if (saved_errno == EACCES || saved_errno == EPERM) code = errc::permission_denied;
  std::string detail = std::string(doing) + ": " + std::generic_category().message(saved_errno);
  if (rlimit limit{}; saved_errno == EMFILE && ::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    detail += "; this process may have " + std::to_string(limit.rlim_cur) + " (ulimit -n)";
  return {code, std::move(detail)};
}

}  // namespace strata::core
