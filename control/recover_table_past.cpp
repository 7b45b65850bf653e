#include "control/recover_table_past.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/suggest.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"
#include "control/shell_quoted.hpp"
#include "host/program.hpp"

namespace strata::control {
namespace {

using pg::client::quoted_literal;
using pg::client::quoted_name;
using pg::client::sql_connection;

/// A catalog of many thousands of tables, none of whose pages is here yet, takes minutes.
constexpr std::chrono::minutes dump_limit{10};

void edit(sql_connection& past, const std::string& sql) {
  need(past.execute(sql), "can't prepare the table on the temporary compute");
}

std::string created_name(const object_name& of) { return qualified(of.new_schema, of.created); }

/// "; at that time there were ..." or a name that is alike.
std::string others_then(sql_connection& past, const table_name& name) {
  std::vector<std::string> names;
  for (const auto& row : ask_catalog(
           past,
           "select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid ="
           " c.relnamespace where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema',"
           " 'pg_toast') order by c.relname = $1 desc, n.nspname = $2 desc, 1, 2 limit 1000",
           {name.table, name.schema}))
    names.push_back(to_string({"", value_text(row[0]), value_text(row[1])}));
  if (names.empty()) return "; database " + past.database() + " had no tables";
  const auto same = std::find_if(names.begin(), names.end(), [&](const auto& each) {
    return each.ends_with("." + to_string({"", "", name.table}));
  });
  if (same != names.end()) return "; there was " + *same;
  return config::did_you_mean(to_string(name), std::vector<std::string_view>(names.begin(), names.end()));
}

void require_recoverable(const table_name& name, const relation& found) {
  const std::string what = "can't recover " + to_string(name);
  if (!kind_text(found.kind).empty())
    throw failure(core::errc::unsupported, what, "it was " + kind_text(found.kind) + ", and only tables are recovered",
                  "strata psql BRANCH@WHEN shows what it was");
  if (!found.extension.empty())
    throw failure(core::errc::unsupported, what, "it belongs to extension " + found.extension + ", which creates it",
                  "CREATE EXTENSION there, then add --data-only");
}

void note_family(sql_connection& past, past_table& table) {
  const std::string& oid = table.found.oid;
  for (const auto& row : ask_catalog(past,
                                     "select c.oid::regclass, pg_catalog.pg_get_expr(me.relpartbound, me.oid)"
                                     " from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhparent"
                                     " join pg_catalog.pg_class me on me.oid = i.inhrelid where i.inhrelid = " +
                                         oid)) {
    const std::string bound = value_text(row[1]);
    table.notes.push_back(
        bound.empty() ? "it inherited from " + value_text(row[0]) + ", and is recovered as a table of its own"
                      : "it was a partition, and is recovered as a table of its own; to attach it: ALTER TABLE " +
                            value_text(row[0]) + " ATTACH PARTITION " + to_string(table.into) + " " + bound);
  }
  if (table.found.kind == 'p') return;
  std::string children;
  for (const auto& row :
       ask_catalog(past, "select inhrelid::regclass from pg_catalog.pg_inherits where inhparent = " + oid))
    children += (children.empty() ? "" : ", ") + value_text(row[0]);
  if (!children.empty()) table.notes.push_back("tables that inherit from it are not recovered with it: " + children);
}

void note_contents(sql_connection& past, past_table& table) {
  if (table.found.persistence == 'u')
    table.notes.emplace_back("it is unlogged: its rows are not in WAL, so it is recovered empty");
  std::string columns;
  for (const auto& each : table.columns)
    if (each.type == "oid" || each.type.ends_with(".lo") || each.type == "lo")
      columns += (columns.empty() ? "" : ", ") + each.name;
  if (!columns.empty())
    table.notes.push_back("large objects are not recovered; columns that may refer to them: " + columns);
  std::string publications;
  for (const auto& row : ask_catalog(past,
                                     "select distinct p.pubname from pg_catalog.pg_publication_rel r join"
                                     " pg_catalog.pg_publication p on p.oid = r.prpubid where r.prrelid = any(" +
                                         oid_array(table.tree) + ")"))
    publications += (publications.empty() ? "" : ", ") + value_text(row[0]);
  if (!publications.empty()) table.notes.push_back("it is not added to the publications it was in: " + publications);
}

void detach(sql_connection& past, past_table& table) {
  for (const auto& row : ask_catalog(past,
                                     "select i.inhparent::regclass, i.inhrelid::regclass, c.relispartition from"
                                     " pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid"
                                     " where i.inhrelid = " +
                                         table.found.oid))
    edit(past, row[2] == "t" ? "ALTER TABLE " + value_text(row[0]) + " DETACH PARTITION " + value_text(row[1])
                             : "ALTER TABLE " + value_text(row[1]) + " NO INHERIT " + value_text(row[0]));
  for (const auto& row :
       ask_catalog(past,
                   "select i.inhparent::regclass, c.oid::regclass, c.oid from pg_catalog.pg_inherits i"
                   " join pg_catalog.pg_class c on c.oid = i.inhrelid where c.relkind = 'f'"
                   " and c.oid = any(" +
                       oid_array(table.tree) + ")")) {
    edit(past, "ALTER TABLE " + value_text(row[0]) + " DETACH PARTITION " + value_text(row[1]));
    table.notes.push_back("partition " + value_text(row[1]) + " is a foreign table, and is not recovered");
    std::erase(table.tree, value_text(row[2]));
    std::erase_if(table.objects, [&](const auto& each) { return each.oid == value_text(row[2]); });
  }
}

/// What has a name in the past that the table's objects are to get goes out of the way.
void clear_names(sql_connection& past, const past_table& table) {
  std::vector<std::string> own;
  for (const auto& each : table.objects) own.push_back(each.oid);
  for (const auto& each : table.objects) {
    const bool is_statistics = each.kind == "STATISTICS";
    for (const auto& row :
         ask_catalog(past,
                     is_statistics ? "select s.oid from pg_catalog.pg_statistic_ext s join"
                                     " pg_catalog.pg_namespace n on n.oid = s.stxnamespace"
                                     " where n.nspname = $1 and s.stxname = $2 and s.oid <> all(" +
                                         oid_array(own) + ")"
                                   : "select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n"
                                     " on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2"
                                     " and c.oid <> all(" +
                                         oid_array(own) + ")",
                     {each.new_schema, each.created}))
      edit(past, std::string("ALTER ") + (is_statistics ? "STATISTICS " : "TABLE ") + created_name(each) +
                     " RENAME TO " + quoted_name("strata_other_" + value_text(row[0])));
  }
}

void rename_objects(sql_connection& past, const past_table& table) {
  const auto is_renamed = [](const object_name& each) {
    return each.name != each.created || each.schema != each.new_schema;
  };
  if (std::none_of(table.objects.begin(), table.objects.end(), is_renamed)) return;
  clear_names(past, table);
  const auto passing = [](const object_name& each) { return "strata_" + each.oid; };
  // In two steps: one's new name may be another's old one.
  for (const auto& each : table.objects)
    edit(past, "ALTER " + each.kind + " " + qualified(each.schema, each.name) + " RENAME TO " + passing(each));
  for (const auto& each : table.objects) {
    if (each.schema == each.new_schema || (each.kind != "TABLE" && each.kind != "STATISTICS")) continue;
    edit(past, "CREATE SCHEMA IF NOT EXISTS " + quoted_name(each.new_schema));
    // Indexes and sequences go with their tables.
    edit(past, "ALTER " + each.kind + " " + qualified(each.schema, passing(each)) + " SET SCHEMA " +
                   quoted_name(each.new_schema));
  }
  for (const auto& each : table.objects)
    edit(past, "ALTER " + each.kind + " " + qualified(each.new_schema, passing(each)) + " RENAME TO " +
                   quoted_name(each.created));
}

std::vector<foreign_key> take_foreign_keys(sql_connection& past, const past_table& table) {
  std::vector<foreign_key> taken;
  for (const auto& row : ask_catalog(past,
                                     "select c.oid::regclass, c.relkind = 'p', con.conname,"
                                     " pg_catalog.pg_get_constraintdef(con.oid) from pg_catalog.pg_constraint con"
                                     " join pg_catalog.pg_class c on c.oid = con.conrelid where con.contype = 'f'"
                                     " and con.conparentid = 0 and con.conrelid = any(" +
                                         oid_array(table.tree) + ") order by 1, 3")) {
    taken.push_back({value_text(row[0]), row[1] == "t", value_text(row[2]), value_text(row[3])});
    edit(past, "ALTER TABLE " + value_text(row[0]) + " DROP CONSTRAINT " + quoted_name(value_text(row[2])));
  }
  return taken;
}

std::vector<std::string> take_statistics(sql_connection& past, const past_table& table) {
  std::vector<std::string> taken;
  for (const auto& each : table.objects) {
    if (each.kind != "STATISTICS") continue;
    taken.push_back(
        value_text(ask_catalog(past, "select pg_catalog.pg_get_statisticsobjdef(" + each.oid + "::oid)")[0][0]));
    edit(past, "DROP STATISTICS " + created_name(each));
  }
  return taken;
}

void drop_constraints(sql_connection& past, const past_table& table) {
  for (const auto& row : ask_catalog(
           past,
           "select conrelid::regclass, conname from pg_catalog.pg_constraint"
           " where conrelid = any(" +
               oid_array(table.tree) + ") and conparentid = 0 and coninhcount = 0 and contype in ('p', 'u', 'x', 'c')"))
    edit(past,
         "ALTER TABLE " + value_text(row[0]) + " DROP CONSTRAINT " + quoted_name(value_text(row[1])) + " CASCADE");
}

void drop_indexes(sql_connection& past, const past_table& table) {
  for (const auto& row :
       ask_catalog(past, "select i.indexrelid::regclass from pg_catalog.pg_index i where i.indrelid = any(" +
                             oid_array(table.tree) +
                             ") and not exists (select from pg_catalog.pg_constraint con where"
                             " con.conindid = i.indexrelid and con.contype in ('p', 'u', 'x')) and not exists"
                             " (select from pg_catalog.pg_inherits h where h.inhrelid = i.indexrelid)"))
    edit(past, "DROP INDEX " + value_text(row[0]) + " CASCADE");
}

std::string program_beside(const host::compute_record& compute, const std::string& name) {
  const std::string path = compute.bin_directory + "/" + name;
  if (::access(path.c_str(), X_OK) == 0) return path;
  throw failure(core::errc::not_found, "can't find " + name + " of Postgres " + std::to_string(compute.pg_major),
                "it is not in " + compute.bin_directory,
                "sudo apt install postgresql-client-" + std::to_string(compute.pg_major));
}

/// A file that goes with this object.
class scratch_file {
 public:
  explicit scratch_file(std::string path) : path_(std::move(path)) {}
  ~scratch_file() { ::unlink(path_.c_str()); }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }

 private:
  std::string path_;
};

}  // namespace

std::string encoding_between(const sql_connection& past) {
  return past.parameter("server_encoding") == "SQL_ASCII" ? "SQL_ASCII" : "UTF8";
}

void set_session(sql_connection& of, const std::string& encoding) {
  std::string sql = "SET client_encoding = " + quoted_literal(encoding) +
                    "; SET search_path = ''; SET datestyle = 'ISO, YMD'; SET intervalstyle = postgres;"
                    " SET extra_float_digits = 3; SET bytea_output = hex; SET xmloption = content;"
                    " SET standard_conforming_strings = on; SET statement_timeout = 0;"
                    " SET idle_in_transaction_session_timeout = 0; SET check_function_bodies = off;"
                    " SET row_security = off; SET client_min_messages = error; SET synchronize_seqscans = off";
  if (of.server_version() >= 170000) sql += "; SET transaction_timeout = 0";
  // A server whose client is gone ends what it does for it, an index for example.
  if (of.server_version() >= 140000) sql += "; SET client_connection_check_interval = '2s'";
  need(of.execute(sql), "can't prepare the connection to database " + of.database());
}

void open_past(sql_connection& past) {
  set_session(past, encoding_between(past));
  // Triggers for DDL are somebody's programs, and are not for a copy of the past.
  edit(past,
       "SET session_replication_role = replica; SET default_transaction_read_only = off;"
       " SET lock_timeout = '30s'; SET max_parallel_workers_per_gather = 0");
  for (const auto& row :
       ask_catalog(past, "select gid from pg_catalog.pg_prepared_xacts where database = current_database()"))
    edit(past, "ROLLBACK PREPARED " + quoted_literal(value_text(row[0])));
}

past_table read_past_table(sql_connection& past, const table_name& name, const std::string& when, bool exists_now) {
  past_table table;
  table.name = name;
  const auto found = find_relation(past, name);
  if (!found)
    throw failure(core::errc::not_found, "there was no table " + to_string(name) + " in " + when,
                  (exists_now ? "it exists in the target now, so it was created later or has been renamed"
                              : "it does not exist in the target now, either") +
                      others_then(past, name),
                  "strata psql " + when + " --database " + shell_quoted(past.database()) + " -c '\\dt *.*'",
                  no_table_then);
  require_recoverable(name, *found);
  table.found = *found;
  table.tree = tree_of(past, found->oid);
  table.columns = columns_of(past, found->oid);
  table.objects = objects_of(past, table.tree);
  const auto sizes =
      ask_catalog(past,
                  "select coalesce(sum(greatest(c.reltuples, 0)), 0), coalesce(sum(c.relpages), 0),"
                  " coalesce(sum(pg_catalog.pg_relation_size(c.oid)), 0), coalesce(sum(case when"
                  " c.reltoastrelid = 0 then 0 else pg_catalog.pg_relation_size(c.reltoastrelid) end), 0)"
                  " from pg_catalog.pg_class c where c.relkind = 'r' and c.oid = any(" +
                      oid_array(table.tree) + ")");
  table.size = {std::stod(value_text(sizes[0][0])), std::stod(value_text(sizes[0][1])),
                std::stoull(value_text(sizes[0][2])), std::stoull(value_text(sizes[0][3]))};
  note_contents(past, table);
  return table;
}

kept_definitions prepare_past(sql_connection& past, past_table& table, const past_choices& wanted) {
  note_family(past, table);
  edit(past, "BEGIN");
  detach(past, table);
  rename_objects(past, table);
  kept_definitions kept{take_foreign_keys(past, table), take_statistics(past, table)};
  if (!wanted.constraints) {
    drop_constraints(past, table);
    kept.foreign_keys.clear();
  }
  if (!wanted.indexes) drop_indexes(past, table);
  edit(past, "COMMIT");
  // What went with a constraint is not there any more.
  const auto left = objects_of(past, table.tree);
  std::erase_if(table.objects, [&](const auto& each) {
    return each.kind != "STATISTICS" && std::none_of(left.begin(), left.end(), [&](const auto& other) {
             return other.kind == each.kind && other.oid == each.oid;
           });
  });
  return kept;
}

std::vector<std::string> dump_past(const host::compute_record& compute, const sql_connection& past,
                                   const past_table& table, dump_section section) {
  const std::string what = "can't read the definition of " + to_string(table.name);
  const scratch_file script(compute.home + "/recovered.sql");
  host::program dump;
  dump.arguments = {program_beside(compute, "pg_dump"),
                    "--dbname=" + socket_uri(compute, {past.user(), past.database()}),
                    "--file=" + script.path(),
                    "--encoding=" + encoding_between(past),
                    std::string("--section=") + (section == dump_section::before_data ? "pre-data" : "post-data"),
                    "--no-tablespaces",
                    "--no-publications",
                    "--no-subscriptions",
                    "--quote-all-identifiers",
                    "--lock-wait-timeout=30s"};
  for (const auto& each : table.objects)
    if (each.kind == "TABLE") dump.arguments.push_back("--table=" + created_name(each));
  dump.signal_at_death = SIGTERM;
  const auto done = need(host::run(dump, dump_limit), what);
  if (done.exit_code != 0)
    throw failure(core::errc::io_error, what, "pg_dump failed: " + done.output,
                  "its compute's log is " + compute.log_file);
  return statements_of(script.content());
}

std::vector<std::string> sequence_positions(sql_connection& past, const past_table& table) {
  std::vector<std::string> made;
  for (const auto& each : table.objects) {
    if (each.kind != "SEQUENCE") continue;
    const auto rows = ask_catalog(past, "select last_value, is_called from " + created_name(each));
    made.push_back("SELECT pg_catalog.setval(" + quoted_literal(created_name(each)) + ", " + value_text(rows[0][0]) +
                   ", " + (rows[0][1] == "t" ? "true" : "false") + ")");
  }
  return made;
}

std::vector<used_type> used_types(sql_connection& past, const past_table& table) {
  std::vector<used_type> used;
  for (const auto& row : ask_catalog(
           past,
           "select distinct pg_catalog.format_type(t.oid, null), coalesce((select e.extname from"
           " pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid where d.objid = t.oid"
           " and d.classid = 'pg_catalog.pg_type'::regclass and d.deptype = 'e'"
           " and d.refclassid = 'pg_catalog.pg_extension'::regclass), '')"
           " from pg_catalog.pg_attribute a join pg_catalog.pg_type c on c.oid = a.atttypid"
           " join pg_catalog.pg_type t on t.oid = case when c.typelem <> 0 and c.typlen = -1 then c.typelem else"
           " c.oid end join pg_catalog.pg_namespace n on n.oid = t.typnamespace"
           " where n.nspname <> 'pg_catalog' and a.attnum > 0 and not a.attisdropped and a.attrelid = any(" +
               oid_array(table.tree) + ") order by 1"))
    used.push_back({value_text(row[0]), value_text(row[1])});
  return used;
}

}  // namespace strata::control
