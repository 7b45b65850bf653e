#include "tests/support/contents.hpp"

#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

constexpr const char* session_settings =
    "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET bytea_output = 'hex'; SET extra_float_digits = 3; "
    "SET max_parallel_workers_per_gather = 0";

/// Catalog columns as a client sees them. Physical statistics and temporary relations are left out: VACUUM, ANALYZE and
/// the removal of orphaned temporary tables change them in place.
const std::vector<std::pair<std::string, std::string>> catalogs{
    {"pg_class",
     "SELECT relname, relnamespace, relkind, relowner, relfilenode, reltablespace, relpersistence, relnatts, "
     "reltoastrelid "
     "FROM pg_class WHERE relpersistence <> 't' AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname "
     "LIKE "
     "'pg_%temp_%')"},
    {"pg_attribute",
     "SELECT a.attrelid, a.attname, a.atttypid, a.attnum, a.attnotnull, a.attisdropped FROM pg_attribute a JOIN "
     "pg_class c "
     "ON c.oid = a.attrelid WHERE c.relpersistence <> 't' AND c.relnamespace NOT IN (SELECT oid FROM pg_namespace "
     "WHERE "
     "nspname LIKE 'pg_%temp_%')"},
    {"pg_proc", "SELECT * FROM pg_proc"},
    {"pg_index", "SELECT indexrelid, indrelid, indisunique, indisvalid, indisready, indislive FROM pg_index"},
    {"pg_largeobject", "SELECT * FROM pg_largeobject"},
    {"pg_database", "SELECT oid, datname, datdba, encoding, dattablespace FROM pg_database"},
    {"pg_tablespace", "SELECT oid, spcname FROM pg_tablespace"},
    {"pg_authid", "SELECT oid, rolname, rolpassword FROM pg_authid"},
};

std::string hash_of(sql_session& session, const std::string& query) {
  return session.value("SELECT count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM (" +
                       query + ") t");
}

/// "schema.table" and "quoted schema"."quoted table" of one kind.
std::vector<std::pair<std::string, std::string>> relations(sql_session& session, const std::string& condition) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& row : session.query("SELECT n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname) "
                                       "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname "
                                       "NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND " +
                                       condition + " ORDER BY 1"))
    found.emplace_back(*row[0], *row[1]);
  return found;
}

}  // namespace

contents_snapshot::contents_snapshot(const connect_to& connect) {
  for (const auto& row : sql_session(connect("postgres")).query("SELECT datname FROM pg_database WHERE datallowconn"))
    sessions_.emplace(*row[0], std::make_unique<sql_session>(connect(*row[0])));
  for (auto& [database, session] : sessions_) {
    session->execute(session_settings);
    session->execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
    for (const auto& [name, quoted] : relations(*session, "c.relkind = 'S' AND c.relpersistence = 'p'")) {
      const auto row = session->query("SELECT last_value, is_called FROM " + quoted).at(0);
      const long last = std::stol(*row[0]);
      contents_.sequences[database + ": " + name] = *row[1] == "t" ? last : last - 1;
    }
  }
  for (const auto& row : sessions_.at("postgres")->query("SELECT gid || '@' || database FROM pg_prepared_xacts"))
    contents_.prepared.insert(*row[0]);
}

cluster_contents contents_snapshot::read() {
  for (auto& [database, session] : sessions_) {
    for (const auto& [name, quoted] : relations(*session, "c.relkind IN ('r', 'm') AND c.relpersistence = 'p'"))
      contents_.tables[database + ": " + name] = hash_of(*session, "SELECT * FROM ONLY " + quoted);
    for (const auto& [name, query] : catalogs) contents_.tables[database + ": " + name] = hash_of(*session, query);
    for (const auto& [name, quoted] : relations(*session, "c.relkind = 'r' AND c.relpersistence = 'u'"))
      contents_.unlogged.insert(database + ": " + name);
  }
  sessions_.clear();
  return contents_;
}

cluster_contents contents_of(const connect_to& connect) { return contents_snapshot(connect).read(); }

std::vector<std::string> differences(const cluster_contents& then, const cluster_contents& now) {
  std::vector<std::string> found;
  for (const auto& [name, hash] : then.tables) {
    const auto other = now.tables.find(name);
    if (other == now.tables.end())
      found.push_back(name + " is missing");
    else if (other->second != hash)
      found.push_back(name + " had " + hash + " and has " + other->second);
  }
  for (const auto& [name, hash] : now.tables)
    if (!then.tables.contains(name)) found.push_back(name + " was not there and has " + hash);
  if (then.unlogged != now.unlogged) found.emplace_back("there are other unlogged tables");
  if (then.prepared != now.prepared) found.emplace_back("there are other prepared transactions");
  constexpr long logged_ahead = 32;
  for (const auto& [name, last] : then.sequences) {
    const auto other = now.sequences.find(name);
    if (other == now.sequences.end())
      found.push_back("sequence " + name + " is missing");
    else if (other->second < last || other->second > last + logged_ahead)
      found.push_back("sequence " + name + " stood at " + std::to_string(last) + " and stands at " +
                      std::to_string(other->second));
  }
  return found;
}

moment take_moment(const connect_to& source) {
  sql_session gate(source("postgres"));
  gate.execute(std::string("SELECT pg_advisory_lock(") + load_lock + ")");
  moment now;
  now.snapshot = std::make_unique<contents_snapshot>(source);
  const auto place = gate.query(
      "SELECT pg_current_wal_insert_lsn(), to_char(clock_timestamp() AT TIME ZONE 'UTC', "
      "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
  now.at = lsn_from(*place.at(0)[0]);
  now.time = *place.at(0)[1];
  return now;
}

}  // namespace strata::tests
