#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/recover_table_name.hpp"
#include "control/recover_table_plan.hpp"
#include "pg/client/sql_connection.hpp"

namespace strata::control {

/// What the catalog of a database has of a table. The functions here throw a failure when a query does not succeed;
/// they expect search_path to be empty, so that all names in what they return have their schema.
struct relation {
  std::string oid;
  char kind = 'r';         ///< pg_class.relkind
  char persistence = 'p';  ///< pg_class.relpersistence
  std::string extension;   ///< that it belongs to
};
std::optional<relation> find_relation(pg::client::sql_connection& in, const table_name& name);
/// "a view"; empty for what is a table: 'r' and 'p'.
std::string kind_text(char kind);

/// The table and all its partitions, the table first.
std::vector<std::string> tree_of(pg::client::sql_connection& in, const std::string& oid);
std::vector<table_column> columns_of(pg::client::sql_connection& in, const std::string& oid);

/// What has a name of its own beside the table: itself (the first), its partitions, indexes, sequences of its columns,
/// extended statistics.
std::vector<object_name> objects_of(pg::client::sql_connection& in, const std::vector<std::string>& tree);

/// An object that is not the table's and would go with it.
struct dependent {
  std::string what;      ///< "view public.v"
  std::string recreate;  ///< the statement that creates it; empty: none is known
};
std::vector<dependent> dependents_of(pg::client::sql_connection& in, const std::vector<std::string>& tree);

/// Names of relations in a schema, and with `statistics` those of extended statistics.
std::set<std::string> names_in(pg::client::sql_connection& in, const std::string& schema, bool statistics);

/// The rows of a query; a failure when it does not succeed.
std::vector<pg::client::sql_row> ask_catalog(pg::client::sql_connection& in, const std::string& sql,
                                             const std::vector<pg::client::sql_value>& parameters = {});
/// Empty for NULL.
std::string value_text(const pg::client::sql_value& value);
/// "'{1,2}'::pg_catalog.oid[]"
std::string oid_array(const std::vector<std::string>& oids);
std::string qualified(const std::string& schema, const std::string& name);

}  // namespace strata::control
