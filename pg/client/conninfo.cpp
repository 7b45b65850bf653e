#include "pg/client/conninfo.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include "pg/client/replication_connection.hpp"

namespace strata::pg::client {
namespace {

constexpr std::string_view hidden = "***";

bool secret(std::string_view key) {
  std::string lower(key);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower.find("password") != std::string::npos || lower.find("secret") != std::string::npos;
}

/// Hides too much rather than too little: a password may contain, unescaped, the characters that end it by the rules.
std::string redact_uri(std::string_view uri) {
  const std::size_t authority = uri.find("://") + 3;
  std::string to(uri.substr(0, authority));
  std::string_view rest = uri.substr(authority);
  const std::size_t colon = rest.find(':');
  const std::size_t at = rest.rfind('@');
  if (colon != std::string_view::npos && at != std::string_view::npos && colon < at) {
    to.append(rest.substr(0, colon + 1)).append(hidden);
    rest.remove_prefix(at);
  }
  const std::size_t query = std::min(rest.find('?'), rest.size());
  to.append(rest.substr(0, query));
  rest.remove_prefix(query);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&', 1), rest.size());
    const std::string_view parameter = rest.substr(0, end);
    const std::size_t equals = parameter.find('=');
    if (equals != std::string_view::npos && secret(parameter.substr(0, equals)))
      to.append(parameter.substr(0, equals + 1)).append(hidden);
    else
      to.append(parameter);
    rest.remove_prefix(end);
  }
  return to;
}

bool blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && blank(text[at])) ++at;
  return at;
}

/// Where the value that begins at `at` ends; npos if a quote is not closed.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  const bool quoted = at < text.size() && text[at] == '\'';
  for (std::size_t i = quoted ? at + 1 : at; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (quoted ? text[i] == '\'' : blank(text[i]))
      return quoted ? i + 1 : i;
  }
  return quoted ? std::string_view::npos : text.size();
}

std::string redact_pairs(std::string_view text) {
  std::string to;
  for (std::size_t at = skip_blanks(text, 0); at < text.size(); at = skip_blanks(text, at)) {
    const std::size_t equals = text.find('=', at);
    if (equals == std::string_view::npos) return std::string(hidden);
    std::string_view key = text.substr(at, equals - at);
    while (!key.empty() && blank(key.back())) key.remove_suffix(1);
    const std::size_t begin = skip_blanks(text, equals + 1);
    const std::size_t end = end_of_value(text, begin);
    if (end == std::string_view::npos || std::any_of(key.begin(), key.end(), blank)) return std::string(hidden);
    if (!to.empty()) to += ' ';
    to.append(key).append("=").append(secret(key) ? hidden : text.substr(begin, std::min(end, text.size()) - begin));
    at = end;
  }
  return to;
}

}  // namespace

std::string redact_conninfo(std::string_view conninfo) {
  if (conninfo.starts_with("postgresql://") || conninfo.starts_with("postgres://")) return redact_uri(conninfo);
  return redact_pairs(conninfo);
}

core::result<void> require_wal_level(std::string_view value) {
  if (value == "replica" || value == "logical") return {};
  return core::error{core::errc::invalid_argument,
                     "the source runs with wal_level = " + std::string(value) +
                         ", which leaves changes out of its WAL; set wal_level = replica (or logical) in its "
                         "postgresql.conf and restart it"};
}

core::result<void> require_primary(const connected& source) {
  if (!source.in_recovery) return {};
  return core::error{core::errc::invalid_argument,
                     "the source is a standby or still in recovery; connect to its primary, or promote it first "
                     "(select pg_promote())"};
}

namespace {

struct free_parsed {
  void operator()(PQconninfoOption* of) const { PQconninfoFree(of); }
};

std::string option_in_conninfo(const std::string& conninfo, std::string_view keyword) {
  const std::unique_ptr<PQconninfoOption, free_parsed> options(PQconninfoParse(conninfo.c_str(), nullptr));
  if (options == nullptr) return "";
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option)
    if (keyword == option->keyword && option->val != nullptr) return option->val;
  return "";
}

}  // namespace

core::error unreadable_conninfo(const std::string& conninfo) {
  // libpq's own error would repeat a value, which may be the password; the name of an option is none.
  const bool is_uri = conninfo.starts_with("postgresql://") || conninfo.starts_with("postgres://");
  std::string culprit;
  for (std::size_t at = skip_blanks(conninfo, 0); !is_uri && culprit.empty() && at < conninfo.size();) {
    const std::size_t equals = conninfo.find('=', at);
    std::string name = conninfo.substr(at, equals - at);
    while (!name.empty() && blank(name.back())) name.pop_back();
    if (equals == std::string::npos || std::any_of(name.begin(), name.end(), blank)) break;
    const std::unique_ptr<PQconninfoOption, free_parsed> known(PQconninfoParse((name + "=''").c_str(), nullptr));
    if (known == nullptr) culprit = name;
    const std::size_t end = end_of_value(conninfo, skip_blanks(conninfo, equals + 1));
    at = end == std::string::npos ? end : skip_blanks(conninfo, end);
  }
  return {core::errc::invalid_argument,
          "read connection string: " + (culprit.empty() ? "" : "libpq has no option \"" + culprit + "\"; ") +
              "it must be like \"host=... port=5432 user=...\" or \"postgresql://user@host:5432\""};
}

std::string database_in_conninfo(const std::string& conninfo) { return option_in_conninfo(conninfo, "dbname"); }
std::string user_in_conninfo(const std::string& conninfo) { return option_in_conninfo(conninfo, "user"); }

std::string conninfo_value(std::string_view value) {
  std::string text = "'";
  for (const char each : value) {
    if (each == '\'' || each == '\\') text += '\\';
    text += each;
  }
  return text + "'";
}

std::string timeline_option(const core::tenant_id& tenant, const core::timeline_id& timeline) {
  return "-c tenant_id=" + to_string(tenant) + " -c timeline_id=" + to_string(timeline);
}

std::string safekeeper_conninfo(std::string_view host, std::uint16_t port, const core::tenant_id& tenant,
                                const core::timeline_id& timeline) {
  return "host=" + conninfo_value(host) + " port=" + std::to_string(port) +
         " user=strata dbname=replication connect_timeout=10 sslmode=disable gssencmode=disable options=" +
         conninfo_value(timeline_option(tenant, timeline));
}

}  // namespace strata::pg::client
