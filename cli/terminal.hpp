#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace strata::cli {

/// Data goes to standard output, talk to standard error.
bool output_is_terminal();
bool talk_is_terminal();
/// Colours on standard error: a terminal, no NO_COLOR, no TERM=dumb; CLICOLOR_FORCE wins.
bool talk_has_color();
/// The terminal's character set can show tree lines.
bool can_draw_lines();

/// Write errors are reported by finish_output().
void print(const std::string& line);
void print(const nlohmann::json& value);
void say(const std::string& line);
/// Throws a failure if a write to standard output has failed; `done` names the result of the command's work.
void finish_output(const std::string& done);

/// Left-aligned columns, as wide as their widest cell. On a terminal the widest are cut until a row fits.
class table {
 public:
  explicit table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "name   value" lines.
class fact_list {
 public:
  void add(std::string name, std::string value);
  void print() const;

 private:
  std::vector<std::pair<std::string, std::string>> facts_;
};

/// Progress of a long command: one line rewritten in place on a terminal, otherwise a plain line every few seconds
/// and when the stage changes.
class progress_line {
 public:
  progress_line() = default;
  ~progress_line() { end(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  void show(const std::string& stage, const std::string& detail);
  /// Clears the line.
  void end();

 private:
  bool on_screen_ = false;
  std::string last_stage_;
  std::chrono::steady_clock::time_point last_line_{};
};

/// "38 ms", "1.4 s".
std::string time_taken(std::chrono::steady_clock::time_point since);
std::string time_text(std::chrono::milliseconds taken);

}  // namespace strata::cli
