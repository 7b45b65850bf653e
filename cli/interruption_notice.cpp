#include "cli/interruption_notice.hpp"

#include <unistd.h>

#include <utility>

namespace strata::cli {

using namespace control;

namespace {

/// Made before a signal may come: a handler may not allocate.
std::string file_to_remove;
std::string last_text;

void speak_and_die(int signal) {
  if (!file_to_remove.empty()) ::unlink(file_to_remove.c_str());
  [[maybe_unused]] const auto told = ::write(STDERR_FILENO, last_text.data(), last_text.size());
  // Delivered when this handler is left.
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

interruption_notice::interruption_notice(std::string file, std::string text) {
  const held_signals hold;
  file_to_remove = std::move(file);
  last_text = std::move(text);
  for (std::size_t i = 0; i < end_of_command.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = speak_and_die;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(end_of_command[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(end_of_command[i], &action, nullptr);
  }
}

interruption_notice::~interruption_notice() {
  for (std::size_t i = 0; i < end_of_command.size(); ++i) ::sigaction(end_of_command[i], &before_[i], nullptr);
}

}  // namespace strata::cli
