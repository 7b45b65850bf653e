#include "control/recover_table_catalog.hpp"

#include "control/failure.hpp"

namespace strata::control {
namespace {

using pg::client::quoted_literal;
using pg::client::quoted_name;
using pg::client::sql_connection;
}  // namespace

std::vector<pg::client::sql_row> ask_catalog(sql_connection& in, const std::string& sql,
                                             const std::vector<pg::client::sql_value>& parameters) {
  return need(in.query(sql, parameters), "can't read the catalog of database " + in.database());
}

std::string value_text(const pg::client::sql_value& value) { return value.value_or(""); }

std::optional<relation> find_relation(sql_connection& in, const table_name& name) {
  const auto rows = ask_catalog(
      in,
      "select c.oid, c.relkind, c.relpersistence, (select e.extname from pg_catalog.pg_depend d"
      " join pg_catalog.pg_extension e on e.oid = d.refobjid where d.classid = 'pg_catalog.pg_class'::regclass"
      " and d.objid = c.oid and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.deptype = 'e')"
      " from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
      " where n.nspname = $1 and c.relname = $2",
      {name.schema, name.table});
  if (rows.empty()) return std::nullopt;
  return relation{value_text(rows[0][0]), value_text(rows[0][1]).front(), value_text(rows[0][2]).front(),
                  value_text(rows[0][3])};
}

std::string kind_text(char kind) {
  switch (kind) {
    case 'r':
    case 'p': return "";
    case 'v': return "a view";
    case 'm': return "a materialized view";
    case 'f': return "a foreign table";
    case 'S': return "a sequence";
    case 'i':
    case 'I': return "an index";
    case 'c': return "a type";
    default: return "no table";
  }
}

std::string oid_array(const std::vector<std::string>& oids) {
  std::string made = "'{";
  for (const auto& each : oids) made += (made.size() > 2 ? "," : "") + each;
  return made + "}'::pg_catalog.oid[]";
}

std::string qualified(const std::string& schema, const std::string& name) {
  return quoted_name(schema) + "." + quoted_name(name);
}

std::vector<std::string> tree_of(sql_connection& in, const std::string& oid) {
  std::vector<std::string> tree{oid};
  for (const auto& row :
       ask_catalog(in, "select relid::oid from pg_catalog.pg_partition_tree(" + oid +
                           "::oid::regclass) where relid <> " + oid + "::oid order by level, relid::oid"))
    tree.push_back(value_text(row[0]));
  return tree;
}

std::vector<table_column> columns_of(sql_connection& in, const std::string& oid) {
  std::vector<table_column> columns;
  for (const auto& row :
       ask_catalog(in,
                   "select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated <> '',"
                   " a.attnotnull and not a.atthasdef and a.attidentity = ''"
                   " from pg_catalog.pg_attribute a where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped"
                   " order by a.attnum",
                   {oid}))
    columns.push_back({value_text(row[0]), value_text(row[1]), row[2] == "t", row[3] == "t"});
  return columns;
}

std::vector<object_name> objects_of(sql_connection& in, const std::vector<std::string>& tree) {
  const std::string oids = oid_array(tree);
  const std::string named =
      "select %, c.oid, n.nspname, c.relname from pg_catalog.pg_class c"
      " join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid in (";
  const auto of_kind = [&](const std::string& kind) {
    std::string made = named;
    return made.replace(made.find('%'), 1, quoted_literal(kind) + "::text");
  };
  const auto rows = ask_catalog(
      in, of_kind("TABLE") + "select unnest(" + oids + "))" + " union all " + of_kind("INDEX") +
              "select i.indexrelid from pg_catalog.pg_index i where i.indrelid = any(" + oids + "))" + " union all " +
              of_kind("SEQUENCE") +
              "select d.objid from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass"
              " and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = any(" +
              oids + ") and d.deptype in ('a', 'i')) and c.relkind = 'S'" +
              " union all select 'STATISTICS', s.oid, n.nspname, s.stxname from pg_catalog.pg_statistic_ext s"
              " join pg_catalog.pg_namespace n on n.oid = s.stxnamespace where s.stxrelid = any(" +
              oids + ")");
  std::vector<object_name> found;
  for (const auto& row : rows) {
    object_name each{value_text(row[0]), value_text(row[1]), value_text(row[2]), value_text(row[3])};
    // The table itself is the first one.
    found.insert(each.oid == tree.front() && each.kind == "TABLE" ? found.begin() : found.end(), std::move(each));
  }
  return found;
}

std::vector<dependent> dependents_of(sql_connection& in, const std::vector<std::string>& tree) {
  const std::string oids = oid_array(tree);
  std::vector<dependent> found;
  const auto rows = ask_catalog(
      in,
      "with types as (select t.oid from pg_catalog.pg_class c join pg_catalog.pg_type t"
      " on t.oid = c.reltype or t.typelem = c.reltype where c.oid = any(" +
          oids +
          ") and c.reltype <> 0), depending as (select distinct d.classid, d.objid, d.objsubid"
          " from pg_catalog.pg_depend d where d.deptype = 'n' and"
          " (d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = any(" +
          oids +
          ") or d.refclassid = 'pg_catalog.pg_type'::regclass and d.refobjid in (select oid from types)))"
          // Views, by their rules.
          " select distinct case v.relkind when 'm' then 'materialized view ' when 'v' then 'view '"
          " else 'a rule of table ' end || v.oid::regclass, case v.relkind when 'v' then 'CREATE VIEW ' ||"
          " v.oid::regclass || ' AS ' || pg_catalog.pg_get_viewdef(v.oid) when 'm' then"
          " 'CREATE MATERIALIZED VIEW ' || v.oid::regclass || ' AS ' || pg_catalog.pg_get_viewdef(v.oid)"
          " else pg_catalog.pg_get_ruledef(r.oid) end from depending d"
          " join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::regclass and r.oid = d.objid"
          " join pg_catalog.pg_class v on v.oid = r.ev_class where v.oid <> all(" +
          oids +
          ") union all select 'constraint ' || pg_catalog.quote_ident(con.conname) || ' of table ' ||"
          " con.conrelid::regclass, 'ALTER TABLE ' || con.conrelid::regclass || ' ADD CONSTRAINT ' ||"
          " pg_catalog.quote_ident(con.conname) || ' ' || pg_catalog.pg_get_constraintdef(con.oid) || ';'"
          " from depending d join pg_catalog.pg_constraint con"
          " on d.classid = 'pg_catalog.pg_constraint'::regclass and con.oid = d.objid"
          " where con.conrelid <> all(" +
          oids +
          ") and con.conparentid = 0"
          " union all select pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ''"
          " from depending d where d.classid not in ('pg_catalog.pg_rewrite'::regclass,"
          " 'pg_catalog.pg_constraint'::regclass) and not exists (select from pg_catalog.pg_class c"
          " where d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid and"
          " (c.oid = any(" +
          oids +
          ") or c.relkind in ('i', 'I'))) and not exists (select from pg_catalog.pg_policy p"
          " where d.classid = 'pg_catalog.pg_policy'::regclass and p.oid = d.objid and p.polrelid = any(" +
          oids +
          ")) and not exists (select from pg_catalog.pg_attrdef a where"
          " d.classid = 'pg_catalog.pg_attrdef'::regclass and a.oid = d.objid and a.adrelid = any(" +
          oids +
          ")) and not exists (select from types t where d.classid = 'pg_catalog.pg_type'::regclass"
          " and t.oid = d.objid)"
          " order by 1");
  for (const auto& row : rows) found.push_back({value_text(row[0]), value_text(row[1])});
  return found;
}

std::set<std::string> names_in(sql_connection& in, const std::string& schema, bool statistics) {
  const std::string sql = statistics
                              ? "select s.stxname from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace"
                                " n on n.oid = s.stxnamespace where n.nspname = $1"
                              : "select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n"
                                " on n.oid = c.relnamespace where n.nspname = $1";
  std::set<std::string> names;
  for (const auto& row : ask_catalog(in, sql, {schema})) names.insert(value_text(row[0]));
  return names;
}

}  // namespace strata::control
