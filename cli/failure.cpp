#include "cli/failure.hpp"

#include <nlohmann/json.hpp>

namespace strata::cli {

std::string failure::text(bool color) const {
  const auto label = [&](const char* name, const char* paint) {
    return color ? std::string(paint) + name + "\033[0m" : std::string(name);
  };
  std::string made = label("error:", "\033[1;31m") + " " + what_ + "\n";
  if (!why_.empty()) made += label("why:  ", "\033[1m") + " " + why_ + "\n";
  if (!next_.empty()) made += label("next: ", "\033[1m") + " " + next_ + "\n";
  return made;
}

std::string failure::json() const {
  using nlohmann::json;
  const json body{
      {"error",
       {{"code", slug_}, {"message", what_}, {"why", why_}, {"next", next_}, {"exit_code", static_cast<int>(code_)}}}};
  return body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace strata::cli
