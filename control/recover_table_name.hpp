#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace strata::control {

/// A table as the user names it. Parts without quotes are in lower case, as in SQL.
struct table_name {
  std::string database;  ///< empty: not said
  std::string schema;    ///< empty: not said
  std::string table;
  bool operator==(const table_name&) const = default;
};

/// [[DB.]SCHEMA.]TABLE, each part in double quotes where it has dots, capitals, '@' or quotes (doubled) in it.
core::result<table_name> parse_table_name(std::string_view text);

struct past_table_name {
  table_name table;
  std::string when;
};
/// TABLE@WHEN; the first '@' outside of quotes counts.
core::result<past_table_name> parse_past_table_name(std::string_view text);

/// As parse_table_name() reads it back: quoted where it must be. Without the database.
std::string to_string(const table_name& of);

}  // namespace strata::control
