#pragma once

#include <signal.h>

#include <array>
#include <string>
#include <vector>

namespace strata::control {

/// The signals by which a person, a script or a terminal that goes away ends a command.
inline constexpr std::array end_of_command{SIGINT, SIGTERM, SIGHUP};

/// Blocks those signals during its lifetime.
class held_signals {
 public:
  held_signals();
  ~held_signals();
  held_signals(const held_signals&) = delete;
  held_signals& operator=(const held_signals&) = delete;

 private:
  sigset_t before_{};
};

/// While it lives one of those signals turns this process, whatever it is doing, into `strata` with `words` and the
/// number of the signal behind them, which ends what was begun and then dies of the signal. Its children stay its
/// children. A signal that is ignored (nohup) stays ignored. One at a time.
class discard_on_signal {
 public:
  explicit discard_on_signal(std::vector<std::string> words);
  ~discard_on_signal();
  discard_on_signal(const discard_on_signal&) = delete;
  discard_on_signal& operator=(const discard_on_signal&) = delete;

 private:
  std::array<struct sigaction, end_of_command.size()> before_{};
};

/// The words for a compute that is being made; with `keep` it was there before, and only stops again.
std::vector<std::string> discard_words(const std::string& directory, const std::string& compute, bool keep);

}  // namespace strata::control
