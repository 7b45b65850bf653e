#pragma once

#include <signal.h>

#include <array>
#include <string>

#include "control/discard.hpp"

namespace strata::cli {

/// During its lifetime a signal that ends the command first removes `file`, unless it is empty, and writes `text` to
/// standard error: what was started and continues elsewhere. An ignored signal stays ignored. One instance at a time.
class interruption_notice {
 public:
  interruption_notice(std::string file, std::string text);
  ~interruption_notice();
  interruption_notice(const interruption_notice&) = delete;
  interruption_notice& operator=(const interruption_notice&) = delete;

 private:
  std::array<struct sigaction, control::end_of_command.size()> before_{};
};

}  // namespace strata::cli
