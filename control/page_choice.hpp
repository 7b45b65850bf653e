#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "control/scope.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// How the pages of a compute come into its data directory, as far as the user has chosen that. What is not chosen is
/// as at the last start of that compute, and at its first start the default.
struct page_request {
  std::optional<host::page_mode> mode{};  ///< default: the best way that this host allows
  std::optional<bool> fill{};             ///< default: true
  std::optional<std::chrono::milliseconds> timeout{};
};

/// Of --page-timeout: 100 ms to a day, or a failure.
std::chrono::milliseconds parse_page_timeout(const std::string& text);

/// The same for a compute below record.home: sets what the record has of it. A failure says why the host does not allow
/// the mode that is wanted. A note says why all pages have to be copied, and which other mode is used than at the last
/// start.
void choose_pages(const scope& of, const page_request& wanted, host::compute_record& record);

}  // namespace strata::control
