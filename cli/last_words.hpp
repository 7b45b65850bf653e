#pragma once

#include <signal.h>

#include <array>
#include <string>

#include "control/discard.hpp"

namespace strata::cli {

/// While it lives a signal that ends the command first removes `file`, if one is named, and writes `text` to standard
/// error: what was begun and goes on elsewhere. A signal that is ignored stays ignored. One at a time.
class last_words {
 public:
  last_words(std::string file, std::string text);
  ~last_words();
  last_words(const last_words&) = delete;
  last_words& operator=(const last_words&) = delete;

 private:
  std::array<struct sigaction, control::end_of_command.size()> before_{};
};

}  // namespace strata::cli
