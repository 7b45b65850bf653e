#include "control/psql_arguments.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "pg/client/named_options.hpp"

namespace strata::control {
namespace {

/// Short options with a value, as psql has had them since version 8.
constexpr std::string_view short_with_value = "cdfFhLopPRTUv";

struct long_option {
  std::string_view name;
  char same_as;  ///< 0: has no value, or none that matters here
  bool has_value;
};
constexpr std::array long_options{
    long_option{"echo-all", 0, false},
    long_option{"no-align", 0, false},
    long_option{"command", 'c', true},
    long_option{"dbname", 'd', true},
    long_option{"echo-queries", 0, false},
    long_option{"echo-errors", 0, false},
    long_option{"echo-hidden", 0, false},
    long_option{"file", 'f', true},
    long_option{"field-separator", 0, true},
    long_option{"field-separator-zero", 0, false},
    long_option{"host", 'h', true},
    long_option{"html", 0, false},
    long_option{"list", 'l', false},
    long_option{"log-file", 0, true},
    long_option{"no-readline", 0, false},
    long_option{"single-transaction", 0, false},
    long_option{"output", 0, true},
    long_option{"port", 'p', true},
    long_option{"pset", 0, true},
    long_option{"quiet", 0, false},
    long_option{"record-separator", 0, true},
    long_option{"record-separator-zero", 0, false},
    long_option{"single-step", 0, false},
    long_option{"single-line", 0, false},
    long_option{"tuples-only", 0, false},
    long_option{"table-attr", 0, true},
    long_option{"username", 'U', true},
    long_option{"set", 0, true},
    long_option{"variable", 0, true},
    long_option{"version", 0, false},
    long_option{"no-password", 0, false},
    long_option{"password", 0, false},
    long_option{"expanded", 0, false},
    long_option{"no-psqlrc", 0, false},
    long_option{"help", 0, false},
    long_option{"csv", 0, false},
};

/// In full, or a beginning that only one has.
const long_option* find_long(std::string_view name) {
  const long_option* found = nullptr;
  for (const auto& each : long_options) {
    if (each.name == name) return &each;
    if (!each.name.starts_with(name)) continue;
    if (found != nullptr) return nullptr;
    found = &each;
  }
  return found;
}

bool is_conninfo(const std::string& text) {
  return text.find('=') != std::string::npos || text.starts_with("postgresql://") || text.starts_with("postgres://");
}

class reader {
 public:
  psql_arguments read(const std::vector<std::string>& words) {
    bool only_names = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      const std::string* next = i + 1 < words.size() ? &words[i + 1] : nullptr;
      if (only_names || word.size() < 2 || word[0] != '-')
        name(word);
      else if (word == "--")
        only_names = true;
      else if (word[1] == '-' ? long_word(word, next) : short_word(word, next))
        ++i;
    }
    return std::move(found_);
  }

 private:
  /// Whether the option's value is the next word; so it is of short_word().
  bool long_word(const std::string& word, const std::string* next) {
    const auto equals = word.find('=');
    const long_option* option = find_long(std::string_view(word).substr(2, equals == word.npos ? equals : equals - 2));
    if (option == nullptr) return false;
    const bool takes_next = option->has_value && equals == word.npos;
    const std::string value = equals != word.npos             ? word.substr(equals + 1)
                              : takes_next && next != nullptr ? *next
                                                              : "";
    if (option->same_as != 0) use(option->same_as, word, value);
    return takes_next;
  }

  bool short_word(const std::string& word, const std::string* next) {
    for (std::size_t at = 1; at < word.size(); ++at) {
      const char letter = word[at];
      const bool has_value = short_with_value.find(letter) != std::string_view::npos;
      const bool is_last = at + 1 == word.size();
      use(letter, word, !has_value ? "" : !is_last ? word.substr(at + 1) : next != nullptr ? *next : "");
      if (has_value) return is_last;
    }
    return false;
  }

  void use(char letter, const std::string& word, const std::string& value) {
    if (letter == 'h' || letter == 'p') refuse(word, "the branch determines the server");
    if (letter == 'c' || letter == 'f' || letter == 'l') found_.is_script = true;
    if (letter == 'd') database(value);
  }

  /// The first is the database unless -d was given, the second a role.
  void name(const std::string& word) {
    if (std::exchange(has_name_, true)) return;
    database(word);
  }

  void database(const std::string& text) {
    if (!is_conninfo(text)) return;
    const auto named = pg::client::options_named_in(text);
    if (!named) return refuse("a connection string", named.error().detail);
    for (const auto& option : *named)
      if (option == "host" || option == "hostaddr" || option == "port" || option == "service" ||
          option == "servicefile")
        return refuse("a connection string with " + option, "the branch determines the server");
  }

  void refuse(const std::string& word, const std::string& why) {
    if (found_.leads_elsewhere) return;
    found_.leads_elsewhere = word;
    found_.why = why;
  }

  psql_arguments found_;
  bool has_name_ = false;
};

std::string for_prompt(const std::string& text) {
  std::string made;
  for (const char c : text) made += c == '%' ? std::string("%%") : std::string(1, c);
  return made;
}

}  // namespace

psql_arguments read_psql_arguments(const std::vector<std::string>& words) { return reader().read(words); }

std::string psql_prompt(const std::string& branch, const std::string& source) {
  return for_prompt(branch + "@" + source) + ":%> %/%R%x%# ";
}

}  // namespace strata::control
