#include "control/discard.hpp"

#include <unistd.h>

#include <filesystem>

namespace strata::control {
namespace {

/// Made before a signal may come: a handler may not allocate.
struct prepared {
  std::string program;
  std::vector<std::string> words;
  std::array<std::string, end_of_command.size()> numbers;
  std::array<std::vector<char*>, end_of_command.size()> arguments;
};
prepared plan;

void become(int signal) {
  for (std::size_t i = 0; i < end_of_command.size(); ++i)
    if (end_of_command[i] == signal) ::execve(plan.program.c_str(), plan.arguments[i].data(), environ);
  // Not even that: then as if there had been no handler.
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

sigset_t all_of_them() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int each : end_of_command) ::sigaddset(&set, each);
  return set;
}

}  // namespace

held_signals::held_signals() {
  const sigset_t set = all_of_them();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}
held_signals::~held_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

discard_on_signal::discard_on_signal(std::vector<std::string> words) {
  const held_signals hold;
  plan.program = std::filesystem::read_symlink("/proc/self/exe");
  plan.words = std::move(words);
  plan.words.insert(plan.words.begin(), plan.program);
  for (std::size_t i = 0; i < end_of_command.size(); ++i) {
    plan.numbers[i] = std::to_string(end_of_command[i]);
    plan.arguments[i].clear();
    for (auto& word : plan.words) plan.arguments[i].push_back(word.data());
    plan.arguments[i].push_back(plan.numbers[i].data());
    plan.arguments[i].push_back(nullptr);
    struct sigaction action {};
    action.sa_handler = become;
    action.sa_mask = all_of_them();
    ::sigaction(end_of_command[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(end_of_command[i], &action, nullptr);
  }
}

discard_on_signal::~discard_on_signal() {
  for (std::size_t i = 0; i < end_of_command.size(); ++i) ::sigaction(end_of_command[i], &before_[i], nullptr);
}

std::vector<std::string> discard_words(const std::string& directory, const std::string& compute, bool keep) {
  std::vector<std::string> words{"compute-discard", "--dir", directory, "--name", compute};
  if (keep) words.emplace_back("--keep");
  words.emplace_back("--signal");
  return words;
}

}  // namespace strata::control
