#include "control/recover_table_plan.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "config/quantity.hpp"

namespace strata::control {
namespace {

constexpr std::size_t identifier_max = 63;
constexpr std::size_t page_bytes = 8192;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

class splitter {
 public:
  explicit splitter(std::string_view script) : text_(script) {}

  std::vector<std::string> split() {
    while (at_ < text_.size()) step();
    finish();
    return std::move(found_);
  }

 private:
  [[nodiscard]] bool sees(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void step() {
    const char c = text_[at_];
    if (sees("--") || (made_.empty() && c == '\\')) return skip_line();
    if (sees("/*")) return skip_comment();
    if (c == '\'') return quoted('\'', is_escaped_string());
    if (c == '"') return quoted('"', false);
    if (c == '$' && dollar_quoted()) return;
    if (c == '(') ++depth_;
    if (c == ')') --depth_;
    if (c == ';' && depth_ <= 0) {
      ++at_;
      return finish();
    }
    if (!made_.empty() || std::isspace(static_cast<unsigned char>(c)) == 0) made_ += c;
    ++at_;
  }

  void skip_line() { at_ = std::min(text_.find('\n', at_), text_.size()); }
  void skip_comment() {
    int depth = 0;
    do {
      const bool opens = sees("/*");
      const bool closes = sees("*/");
      depth += opens ? 1 : closes ? -1 : 0;
      at_ += opens || closes ? 2 : 1;
    } while (depth > 0 && at_ < text_.size());
  }
  /// E'...'
  [[nodiscard]] bool is_escaped_string() const {
    if (made_.empty() || (made_.back() != 'E' && made_.back() != 'e')) return false;
    return made_.size() == 1 || !is_word(made_[made_.size() - 2]);
  }
  /// A doubled quote ends one and begins the next.
  void quoted(char quote, bool has_escapes) {
    made_ += text_[at_++];
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      made_ += c;
      if (c == '\\' && has_escapes && at_ < text_.size()) made_ += text_[at_++];
      if (c == quote) return;
    }
  }
  bool dollar_quoted() {
    if (!made_.empty() && (is_word(made_.back()) || made_.back() == '$')) return false;
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_word(text_[end])) ++end;
    if (end >= text_.size() || text_[end] != '$') return false;
    if (end > at_ + 1 && std::isdigit(static_cast<unsigned char>(text_[at_ + 1])) != 0) return false;
    const std::string_view tag = text_.substr(at_, end + 1 - at_);
    const auto close = text_.find(tag, end + 1);
    const auto stop = close == std::string_view::npos ? text_.size() : close + tag.size();
    made_ += text_.substr(at_, stop - at_);
    at_ = stop;
    return true;
  }
  void finish() {
    while (!made_.empty() && std::isspace(static_cast<unsigned char>(made_.back())) != 0) made_.pop_back();
    if (!made_.empty()) found_.push_back(std::move(made_));
    made_.clear();
    depth_ = 0;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string made_;
  std::vector<std::string> found_;
};

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](auto each) { return text.starts_with(each); });
}

/// The statement without what is in quotes, so that a name or a text in it does not look like SQL.
std::string unquoted(std::string_view statement) {
  std::string made;
  char quote = 0;
  for (const char c : statement) {
    if (quote == 0 && (c == '"' || c == '\''))
      quote = c;
    else if (c == quote)
      quote = 0;
    else if (quote == 0)
      made += c;
  }
  return made;
}

/// At most `size` bytes, without a part of a character at the end.
std::string cut_to(std::string_view text, std::size_t size) {
  if (text.size() <= size) return std::string(text);
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return std::string(text.substr(0, size));
}

}  // namespace

std::vector<std::string> statements_of(std::string_view script) { return splitter(script).split(); }

statement_use use_of(std::string_view statement) {
  if (statement.starts_with("SET default_table_access_method")) return statement_use::required;
  if (starts_with_any(statement, {"SET ", "SELECT pg_catalog.set_config("})) return statement_use::skipped;
  if (starts_with_any(statement, {"GRANT ", "REVOKE "})) return statement_use::closing;
  if (starts_with_any(statement, {"COMMENT ON ", "CREATE TRIGGER ", "CREATE CONSTRAINT TRIGGER ", "CREATE POLICY ",
                                  "CREATE RULE ", "CREATE STATISTICS ", "ALTER STATISTICS ", "SECURITY LABEL "}))
    return statement_use::optional;
  if (!statement.starts_with("ALTER ")) return statement_use::required;
  const std::string plain = unquoted(statement);
  if (plain.find(" OWNER TO ") != std::string::npos) return statement_use::closing;
  for (const auto* words : {" TRIGGER ", " RULE "})
    for (const auto* verb : {" ENABLE", " DISABLE", " ENABLE ALWAYS", " ENABLE REPLICA"})
      if (plain.find(std::string(verb) + words) != std::string::npos) return statement_use::optional;
  return statement_use::required;
}

std::string shown_statement(std::string_view statement) {
  constexpr std::size_t shown_max = 120;
  std::string made;
  for (const char c : statement) {
    const bool is_blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!is_blank || (!made.empty() && made.back() != ' ')) made += is_blank ? ' ' : c;
  }
  return made.size() <= shown_max ? made : cut_to(made, shown_max - 3) + "...";
}

std::string derived_name(const std::string& name, const std::string& table, const std::string& into) {
  if (table == into) return name;
  if (name == table) return into;
  const bool begins = name.starts_with(table);
  return cut_to(into + (begins ? name.substr(table.size()) : "_" + name), identifier_max);
}

std::string free_name(const std::string& wanted, const std::set<std::string>& taken) {
  std::string name = cut_to(wanted, identifier_max);
  for (int i = 1; taken.contains(name); ++i) {
    const std::string end = "_" + std::to_string(i);
    name = cut_to(wanted, identifier_max - end.size()) + end;
  }
  return name;
}

void choose_names(std::vector<object_name>& objects, const std::string& schema, const std::string& into,
                  const names_taken& taken, const names_taken& freed) {
  const auto names = [](const names_taken& of, const object_name& each) {
    const auto& all = each.kind == "STATISTICS" ? of.statistics : of.relations;
    const auto found = all.find(each.new_schema);
    return found == all.end() ? std::set<std::string>() : found->second;
  };
  const std::string old_schema = objects.front().schema;
  const std::string table = objects.front().name;
  names_taken created;
  names_taken final_names;
  for (auto& each : objects) {
    each.new_schema = each.schema == old_schema ? schema : each.schema;
    const auto occupied = names(taken, each);
    auto staying = names(final_names, each);
    const auto leaving = names(freed, each);
    for (const auto& name : occupied)
      if (!leaving.contains(name)) staying.insert(name);
    each.final_name = free_name(&each == objects.data() ? into : derived_name(each.name, table, into), staying);
    auto in_use = names(created, each);
    in_use.insert(occupied.begin(), occupied.end());
    each.created = free_name(each.final_name, in_use);
    (each.kind == "STATISTICS" ? created.statistics : created.relations)[each.new_schema].insert(each.created);
    (each.kind == "STATISTICS" ? final_names.statistics : final_names.relations)[each.new_schema].insert(
        each.final_name);
  }
}

column_match match_columns(const std::vector<table_column>& past, const std::vector<table_column>& living) {
  const auto named = [](const std::vector<table_column>& all, const std::string& name) {
    return std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
  };
  column_match made;
  for (const auto& each : past) {
    const auto now = named(living, each.name);
    if (now == living.end()) {
      // What was computed from other columns is no loss.
      if (!each.is_generated) made.missing.push_back(each.name);
      continue;
    }
    if (now->is_generated) continue;
    made.copied.push_back(each.name);
    if (now->type != each.type) made.other_type.push_back(each.name + " (" + each.type + ", now " + now->type + ")");
  }
  for (const auto& each : living) {
    if (each.is_generated || named(past, each.name) != past.end()) continue;
    (each.is_required ? made.unfilled : made.defaulted).push_back(each.name);
  }
  return made;
}

double expected_rows(const table_size& of) {
  if (of.known_rows <= 0 || of.known_pages <= 0) return 0;
  return std::round(of.known_rows / of.known_pages * static_cast<double>(of.heap_bytes / page_bytes));
}

std::optional<std::chrono::seconds> time_left(double done, double expected, std::chrono::milliseconds taken) {
  if (done <= 0 || taken.count() <= 0 || expected < done) return std::nullopt;
  const double seconds = (expected - done) / done * static_cast<double>(taken.count()) / 1000;
  constexpr double longest = 365.0 * 24 * 3600;
  return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(std::min(seconds, longest))));
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string progress_text(std::uint64_t rows, std::uint64_t bytes, double rows_expected, double bytes_expected,
                          std::chrono::milliseconds taken) {
  std::string text = grouped(rows) + " rows, " + config::size_text(bytes);
  // A rate of the first moments says nothing.
  constexpr std::chrono::milliseconds rate_after{500};
  if (taken < rate_after) return text;
  text += ", " + grouped(rows * 1000 / static_cast<std::uint64_t>(taken.count())) + " rows/s";
  const auto left = rows_expected > 0 ? time_left(static_cast<double>(rows), rows_expected, taken)
                                      : time_left(static_cast<double>(bytes), bytes_expected, taken);
  if (left) text += ", about " + config::duration_text(*left) + " left";
  return text;
}

}  // namespace strata::control
