#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/recover_table_catalog.hpp"
#include "control/recover_table_plan.hpp"
#include "host/registry.hpp"
#include "pg/client/sql_connection.hpp"

namespace strata::control {

/// A table on a temporary compute, which is prepared there for pg_dump: the past is thrown away afterwards, so that it
/// may be edited.
struct past_table {
  table_name name;
  table_name into{};  ///< what it becomes
  relation found;
  std::vector<std::string> tree;  ///< with its partitions, by oid
  std::vector<table_column> columns;
  std::vector<object_name> objects;
  table_size size;
  std::vector<std::string> notes;  ///< what is not recovered, or in another way
};

/// For connections to both ends: text as it is, whatever the locale and the settings of the databases.
void set_session(pg::client::sql_connection& of, const std::string& encoding);
/// The encoding in which rows go from one end to the other.
std::string encoding_between(const pg::client::sql_connection& past);

/// Prepares the session, and rolls transactions back that were prepared at that time and hold locks.
void open_past(pg::client::sql_connection& past);
/// The slug of the failure of a table that did not exist.
inline constexpr const char* no_table_then = "no_table_then";
/// A failure when there is none that can be recovered, for whose text are `when`, BRANCH@LSN, and `exists_now`.
past_table read_past_table(pg::client::sql_connection& past, const table_name& name, const std::string& when,
                           bool exists_now);

struct past_choices {
  bool indexes = true;
  bool constraints = true;
};
struct foreign_key {
  std::string table;  ///< quoted, as created in the target
  bool is_partitioned = false;
  std::string name;
  std::string definition;
};
/// What pg_dump does not write, because it was taken away before: keys that need other tables, and statistics, which
/// pg_dump has for whole schemas only.
struct kept_definitions {
  std::vector<foreign_key> foreign_keys;
  std::vector<std::string> statistics;  ///< statements
};
/// Takes the table out of its family, gives all objects the names that they are created by, and drops what was not
/// chosen.
kept_definitions prepare_past(pg::client::sql_connection& past, past_table& table, const past_choices& wanted);

enum class dump_section { before_data, after_data };
/// The statements that create the table. Only after prepare_past().
std::vector<std::string> dump_past(const host::compute_record& compute, const pg::client::sql_connection& past,
                                   const past_table& table, dump_section section);

/// "SELECT pg_catalog.setval(...)" for each sequence of the table, by the names of prepare_past().
std::vector<std::string> sequence_positions(pg::client::sql_connection& past, const past_table& table);

/// A type that the columns use and that has to exist: "public.hstore", and its extension if it is of one.
struct used_type {
  std::string name;
  std::string extension;
};
std::vector<used_type> used_types(pg::client::sql_connection& past, const past_table& table);

}  // namespace strata::control
