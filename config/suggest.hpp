#pragma once

#include <span>
#include <string>
#include <string_view>

namespace strata::config {

/// The candidate that `text` was probably meant to be; empty when none is near.
std::string_view nearest(std::string_view text, std::span<const std::string_view> candidates);

/// "; did you mean \"gc_horizon\"?", or nothing.
std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates);

}  // namespace strata::config
