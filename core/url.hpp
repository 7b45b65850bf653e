#pragma once

#include <string>
#include <string_view>

namespace strata::core {

/// Percent-encodes all but letters, digits, "-_.~" and what `plain` has, as a part of a URL needs it (RFC 3986 §2).
std::string url_encoded(std::string_view text, std::string_view plain = "");

/// The other way. What is no percent-encoding stays as it is. In a query '+' is a space, as forms have it.
std::string url_decoded(std::string_view text, bool in_query = false);

}  // namespace strata::core
