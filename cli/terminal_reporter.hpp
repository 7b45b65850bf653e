#pragma once

#include <string>

#include "cli/context.hpp"
#include "cli/terminal.hpp"

namespace strata::cli {

/// What workflows report, on standard error. A command that answers in JSON shows warnings and failures only.
class terminal_reporter final : public control::reporter {
 public:
  explicit terminal_reporter(const context& of) : of_(of) {}
  void warn(const std::string& text) override { say("note: " + text); }
  void note(const std::string& text) override { tell("note: " + text); }
  void tell(const std::string& text) override;
  void failed(const control::failure& why) override;
  void show_progress(const std::string& stage, const std::string& detail) override;
  void progress_ended() override { line_.end(); }

 private:
  const context& of_;
  progress_line line_;
};

}  // namespace strata::cli
