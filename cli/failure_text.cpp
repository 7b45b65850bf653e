#include "cli/failure_text.hpp"

#include <nlohmann/json.hpp>

namespace strata::cli {

exit_code exit_code_for(core::errc code) {
  switch (code) {
    case core::errc::invalid_argument: return exit_code::usage;
    case core::errc::not_found: return exit_code::not_found;
    case core::errc::conflict: return exit_code::conflict;
    case core::errc::unavailable:
    case core::errc::timeout:
    case core::errc::outcome_unknown: return exit_code::unreachable;
    default: return exit_code::failure;
  }
}

std::string text_of(const control::failure& of, bool color) {
  if (!color) return of.text();
  std::string made = std::string("\033[1;31merror:\033[0m ") + of.what() + "\n";
  if (!of.why().empty()) made += "\033[1mwhy:  \033[0m " + of.why() + "\n";
  if (!of.next().empty()) made += "\033[1mnext: \033[0m " + of.next() + "\n";
  return made;
}

std::string failure_json(const control::failure& of) {
  using nlohmann::json;
  const json body{{"error",
                   {{"code", of.slug()},
                    {"message", of.what()},
                    {"why", of.why()},
                    {"next", of.next()},
                    {"exit_code", static_cast<int>(exit_code_for(of.code()))}}}};
  return body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace strata::cli
