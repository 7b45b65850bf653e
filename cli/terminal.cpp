#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/columns.hpp"
#include "control/failure.hpp"

namespace strata::cli {

using namespace control;
namespace {

constexpr std::chrono::seconds plain_line_pause{5};
constexpr std::chrono::milliseconds terminal_pause{100};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int output_errno = 0;

void flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0 && output_errno == 0) output_errno = errno;
}

/// 0: not a terminal, or one that does not say.
std::size_t terminal_width() {
  winsize size{};
  if (!output_is_terminal() || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace

bool output_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool talk_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

bool talk_has_color() {
  if (const std::string force = variable("CLICOLOR_FORCE"); !force.empty() && force != "0") return true;
  return talk_is_terminal() && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

bool can_draw_lines() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string locale = variable(name);
    if (locale.empty()) continue;
    return locale.find("UTF-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  }
  return false;
}

void print(const std::string& line) {
  errno = 0;
  if (std::fputs((line + "\n").c_str(), stdout) < 0 && output_errno == 0) output_errno = errno;
}
void print(const nlohmann::json& value) { print(value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)); }
void say(const std::string& line) {
  // In order with what was printed, where both go to one place.
  flush_output();
  std::fputs((line + "\n").c_str(), stderr);
}

void finish_output(const std::string& done) {
  flush_output();
  if (output_errno == 0) return;
  throw failure(core::from_errno("write to standard output", output_errno), "can't write to standard output: " + done,
                "write to a place with free space, or to a reader that stays open");
}

void table::print() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  const bool cut = fit_columns(widths, terminal_width());
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = cut_cell(row[i], widths[i], can_draw_lines());
      line += cell;
      if (i + 1 < row.size()) line.append(widths[i] - text_width(cell) + column_gap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    cli::print(line);
  }
  if (cut) say("note: cells are truncated to the width of the terminal; --json shows them in full");
}

void fact_list::add(std::string name, std::string value) {
  if (!value.empty()) facts_.emplace_back(std::move(name), std::move(value));
}

void fact_list::print() const {
  std::size_t widest = 0;
  for (const auto& [name, value] : facts_) widest = std::max(widest, text_width(name));
  for (const auto& [name, value] : facts_) cli::print(name + std::string(widest - text_width(name) + 2, ' ') + value);
}

void progress_line::show(const std::string& stage, const std::string& detail) {
  const bool terminal = talk_is_terminal();
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::milliseconds pause = terminal ? terminal_pause : plain_line_pause;
  if (stage == last_stage_ && now - last_line_ < pause) return;
  last_stage_ = stage;
  last_line_ = now;
  const std::string line = stage + (detail.empty() ? "" : "  " + detail);
  if (!terminal) return say(line);
  // Back to the first column, and clear what was longer.
  std::fputs(("\r" + line + "\033[K").c_str(), stderr);
  on_screen_ = true;
}

void progress_line::end() {
  if (on_screen_) std::fputs("\r\033[K", stderr);
  on_screen_ = false;
}

std::string time_taken(std::chrono::steady_clock::time_point since) {
  return time_text(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - since));
}

std::string time_text(std::chrono::milliseconds taken) {
  if (taken < std::chrono::seconds(1)) return std::to_string(taken.count()) + " ms";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(taken.count()) / 1000);
  return text.data();
}

}  // namespace strata::cli
