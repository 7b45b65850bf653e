#pragma once

#include <string>
#include <string_view>

namespace strata::core {

/// Percent-encodes a part of a URL (RFC 3986 §2), except letters, digits, "-_.~" and the characters of `plain`.
std::string url_encoded(std::string_view text, std::string_view plain = "");

/// Decodes percent-encoding; invalid sequences are kept. In a query '+' is a space, as in HTML forms.
std::string url_decoded(std::string_view text, bool in_query = false);

}  // namespace strata::core
