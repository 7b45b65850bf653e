#include "cli/terminal_reporter.hpp"

#include "cli/failure_text.hpp"

namespace strata::cli {

void terminal_reporter::tell(const std::string& text) {
  if (!of_.json) say(text);
}

void terminal_reporter::failed(const control::failure& why) { say(text_of(why, false)); }

void terminal_reporter::show_progress(const std::string& stage, const std::string& detail) {
  if (!of_.json) line_.show(stage, detail);
}

}  // namespace strata::cli
