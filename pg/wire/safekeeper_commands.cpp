#include "pg/wire/safekeeper_commands.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace strata::pg::wire {
namespace {

std::string lower(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return made;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';'; }

core::error usage(std::string_view form) { return {core::errc::invalid_argument, "usage: " + std::string(form)}; }

constexpr std::string_view push_usage =
    "START_WAL_PUSH [(proto_version '3' [, allow_timeline_creation 'true'|'false'])]";
constexpr std::string_view stream_usage =
    "START_REPLICATION [SLOT name] [PHYSICAL] X/X [TIMELINE number] [(term = 'number')]";

/// The words of a command in order. "(", ")", "," and "=" are words of their own; a text in quotes is one.
class word_reader {
 public:
  explicit word_reader(std::string_view query) : rest_(query) { advance(); }

  [[nodiscard]] bool at_end() const { return word_.empty(); }
  /// In its original case.
  [[nodiscard]] const std::string& word() const { return word_; }
  [[nodiscard]] bool is(std::string_view keyword) const { return !quoted_ && lower(word_) == keyword; }
  std::string take() {
    std::string taken = std::move(word_);
    advance();
    return taken;
  }
  bool take_if(std::string_view keyword) {
    if (!is(keyword)) return false;
    advance();
    return true;
  }

 private:
  void advance() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    word_.clear();
    quoted_ = false;
    if (rest_.empty()) return;
    const char first = rest_.front();
    std::size_t size = 1;
    if (first == '\'' || first == '"') {
      quoted_ = true;
      const auto end = rest_.find(first, 1);
      word_ = rest_.substr(1, end == std::string_view::npos ? end : end - 1);
      size = end == std::string_view::npos ? rest_.size() : end + 1;
    } else if (is_mark(first)) {
      word_ = first;
    } else {
      while (size < rest_.size() && !is_space(rest_[size]) && !is_mark(rest_[size])) ++size;
      word_ = rest_.substr(0, size);
    }
    rest_.remove_prefix(size);
  }
  static bool is_mark(char c) { return c == '(' || c == ')' || c == ',' || c == '='; }

  std::string_view rest_;
  std::string word_;
  bool quoted_ = false;
};

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "(name [=] value, ...)" -> take(name, value), which returns whether it knows the name. The list may be missing.
template <class Take>
bool take_options(word_reader& words, Take take) {
  if (words.at_end()) return true;
  if (!words.take_if("(")) return false;
  while (!words.take_if(")")) {
    const std::string name = lower(words.take());
    words.take_if("=");
    if (name.empty() || words.at_end() || !take(name, words.take())) return false;
    if (!words.take_if(",") && !words.is(")")) return false;
  }
  return words.at_end();
}

core::result<wal_command> parse_push(word_reader words) {
  start_wal_push parsed;
  const bool understood = take_options(words, [&](const std::string& name, const std::string& value) {
    if (name == "proto_version") {
      const auto version = number_of<std::uint32_t>(value);
      parsed.protocol_version = version.value_or(0);
      return version.has_value();
    }
    if (name != "allow_timeline_creation" || (value != "true" && value != "false")) return false;
    parsed.allow_timeline_creation = value == "true";
    return true;
  });
  if (!understood) return usage(push_usage);
  return wal_command(parsed);
}

core::result<wal_command> parse_stream(word_reader words) {
  start_wal_stream parsed;
  // There are no slots here: the client reports its positions otherwise.
  if (words.take_if("slot")) words.take();
  words.take_if("physical");
  if (words.at_end()) return usage(stream_usage);
  STRATA_ASSIGN(parsed.from, core::parse_lsn(words.take()));
  if (words.take_if("timeline")) {
    const auto timeline = number_of<std::uint32_t>(words.take());
    if (!timeline) return usage(stream_usage);
    parsed.timeline = *timeline;
  }
  const bool understood = take_options(words, [&](const std::string& name, const std::string& value) {
    parsed.term = number_of<std::uint64_t>(value);
    return name == "term" && parsed.term;
  });
  if (!understood) return usage(stream_usage);
  return wal_command(parsed);
}

core::result<wal_command> parse_show(word_reader words) {
  const std::string name = lower(words.take());
  if (name.empty() || !words.at_end()) return usage("SHOW setting");
  return wal_command(show_setting{name});
}

/// Separates the words of `options`; a backslash escapes the next character.
std::vector<std::string> option_words(std::string_view text) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size())
      words.back() += text[++i];
    else if (is_space(text[i]))
      words.emplace_back();
    else
      words.back() += text[i];
  }
  return words;
}

template <class Id>
core::result<std::optional<Id>> id_option(std::string_view name, std::string_view value) {
  auto id = core::parse_id<Id>(value);
  if (!id || !id->valid())
    return core::error{core::errc::invalid_argument,
                       "the start-up option " + std::string(name) + " is no id of 32 hex digits"};
  return std::optional<Id>(*id);
}

}  // namespace

core::result<wal_client> parse_wal_client(const startup_parameters& parameters) {
  wal_client client;
  for (const auto& [parameter, text] : parameters) {
    if (parameter == "application_name") client.application_name = text;
    if (parameter != "options") continue;
    for (std::string_view word : option_words(text)) {
      if (word.starts_with("-c")) word.remove_prefix(2);
      if (word.starts_with("--")) word.remove_prefix(2);
      const auto equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view name = word.substr(0, equals);
      const std::string_view value = word.substr(equals + 1);
      if (name == "tenant_id" || name == "ztenantid") {
        STRATA_ASSIGN(client.tenant, id_option<core::tenant_id>(name, value));
      } else if (name == "timeline_id" || name == "ztimelineid") {
        STRATA_ASSIGN(client.timeline, id_option<core::timeline_id>(name, value));
      }
    }
  }
  return client;
}

core::result<wal_command> parse_wal_command(std::string_view query) {
  word_reader words(query);
  const std::string name = lower(words.take());
  if (name == "start_wal_push") return parse_push(words);
  if (name == "start_replication") return parse_stream(words);
  if (name == "identify_system") return wal_command(identify_system{});
  if (name == "timeline_status") return wal_command(timeline_status{});
  if (name == "show") return parse_show(words);
  if (name == "set") return wal_command(set_nothing{});
  const std::string shown = name.substr(0, 40);
  return core::error{
      core::errc::unsupported,
      "unknown command \"" + shown +
          "\"; this port supports START_WAL_PUSH, START_REPLICATION, IDENTIFY_SYSTEM, TIMELINE_STATUS and "
          "SHOW, and no SQL"};
}

}  // namespace strata::pg::wire
