#include "control/recover_table.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "control/branches.hpp"
#include "control/compute_lookup.hpp"
#include "control/compute_start.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"
#include "control/presence_search.hpp"
#include "control/recover_table_name.hpp"
#include "control/recover_table_past.hpp"
#include "control/recover_table_target.hpp"
#include "control/shell_quoted.hpp"
#include "pg/client/conninfo.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::control {
namespace {

using pg::client::quoted_name;
using pg::client::sql_connection;

bool names_server(const std::string& text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://") || text.find('=') != std::string::npos;
}

std::string shown_target(const recover_request& asked) {
  return names_server(asked.target) ? pg::client::redact_conninfo(asked.target) : asked.target;
}

/// The command with other options, for a person.
std::string command_again(const recover_request& asked, const std::string& options, const std::string& target) {
  std::string made = "strata recover table " + shell_quoted(asked.table);
  if (!asked.from.empty()) made += " --from " + shell_quoted(asked.from);
  if (asked.data_only) made += " --data-only";
  return made + (options.empty() ? "" : " " + options) + " " + shell_quoted(target);
}

void check_request(const recover_request& asked) {
  const auto refuse = [](const std::string& why) {
    throw failure(core::errc::invalid_argument, "invalid command line", why, "strata recover table --help");
  };
  if (asked.data_only && (asked.replace || !asked.indexes || !asked.constraints))
    refuse("--data-only copies rows into a table that exists, and changes nothing else of it");
  if (asked.cascade && !asked.replace) refuse("--cascade is for --replace");
}

struct table_names {
  table_name past;
  std::string when;
  table_name into;
};
table_names names_of(const recover_request& asked) {
  const std::string example = "strata recover table public.orders@10m dev";
  const auto [past, when] = need(parse_past_table_name(asked.table), "can't recover a table", example);
  table_names made{past, when, past};
  if (made.past.schema.empty()) made.past.schema = "public";
  made.into.schema = made.past.schema;
  if (asked.into.empty()) return made;
  made.into = need(parse_table_name(asked.into), "can't use --into", example + " --into orders_old");
  if (!made.into.database.empty())
    throw failure(core::errc::invalid_argument, "can't use --into " + asked.into,
                  "the target's database is that of the table, or of the URI", example + " --into orders_old");
  made.into.database = made.past.database;
  if (made.into.schema.empty()) made.into.schema = made.past.schema;
  return made;
}

/// The branch whose past is read: --from, else the target.
branch_entry branch_to_read(const server_link& server, const scope& of, const recover_request& asked) {
  if (!asked.from.empty()) return find_branch(server, of, parse_branch_name(asked.from));
  if (names_server(asked.target)) return find_branch(server, of, parse_branch_name("main"));
  const auto spec = parse_branch_name(asked.target);
  try {
    return find_branch(server, of, spec);
  } catch (const failure& e) {
    const auto compute = host::registry(of.directory).find(spec.branch);
    if (e.code() != core::errc::not_found || !compute) throw;
    return find_branch(server, of, parse_branch_name(compute->tenant + "/" + compute->branch));
  }
}

/// As `strata psql` finds it, or starts it.
host::compute_record living_compute(const scope& of, const server_link& server, const recover_request& asked) {
  const auto spec = parse_branch_name(asked.target);
  const auto found = look_up(of, asked.target);
  if (found.follows_source) {
    const branch_entry branch = find_branch(server, of, spec);
    const std::string source = branch.info.value("source", nlohmann::json::object()).value("conninfo", "");
    const bool has_secret = source.find("***") != std::string::npos;
    recover_request again = asked;
    if (again.from.empty()) again.from = asked.target;
    throw failure(core::errc::conflict, "can't recover into " + asked.target,
                  "only its source writes it; name the source by its connection string",
                  command_again(again, asked.into.empty() ? "" : "--into " + shell_quoted(asked.into),
                                source.empty() || has_secret ? "URI" : source));
  }
  if (found.running) return *found.running;
  return start_compute(of, {.spec = asked.target});
}

std::string comma_separated(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& each : all) text += (text.empty() ? "" : ", ") + each;
  return text;
}

/// A database that is not there is told from a compute that can't be reached.
[[noreturn]] void fail_to_connect(const host::compute_record& to, const std::string& database, const core::error& why) {
  auto other = sql_connection::open(socket_uri(to, {"", "postgres"}));
  const auto names = other ? other->query("select datname from pg_catalog.pg_database where datallowconn order by 1")
                           : core::result<std::vector<pg::client::sql_row>>(other.error());
  std::vector<std::string> all;
  if (names)
    for (const auto& row : *names) all.push_back(value_text(row[0]));
  if (!all.empty() && std::find(all.begin(), all.end(), database) == all.end())
    throw failure(core::errc::not_found, "there is no database " + database + " on compute " + to.name,
                  "there are: " + comma_separated(all), "strata recover table DB.SCHEMA.TABLE@WHEN names another one");
  throw failure(why, "can't connect to database " + database + " of compute " + to.name, "strata compute list");
}

/// As a superuser: who follows a source need not be one.
sql_connection connect_as_superuser(const host::compute_record& to, const std::string& database) {
  auto opened = sql_connection::open(socket_uri(to, {"", database}));
  if (!opened) fail_to_connect(to, database, opened.error());
  const std::string what = "can't read the roles of compute " + to.name;
  const auto is_super =
      need(opened->query("select rolsuper from pg_catalog.pg_roles where rolname = current_user"), what);
  if (!is_super.empty() && is_super[0][0] == "t") return *std::move(opened);
  const auto others = need(opened->query("select rolname from pg_catalog.pg_roles where rolsuper and rolcanlogin"
                                         " order by oid limit 1"),
                           what);
  if (others.empty()) return *std::move(opened);
  return need(sql_connection::open(socket_uri(to, {value_text(others[0][0]), database})), what);
}

void refuse_existing(const recover_request& asked, const table_names& names, const living_table& living) {
  const std::string target = shown_target(asked);
  const std::string what = "can't recover into " + to_string(names.into);
  const std::string other = names.into.table + "_recovered";
  const std::string into = "--into " + shell_quoted(to_string({"", names.into.schema, other}));
  const std::string kind = kind_text(living.found.kind);
  if (!kind.empty())
    throw failure(core::errc::conflict, what, "there is " + kind + " of that name in " + target,
                  command_again(asked, into, target));
  if (asked.data_only) return;
  if (!asked.replace) {
    const std::string kept = asked.into.empty() ? "" : "--into " + shell_quoted(asked.into) + " ";
    throw failure(core::errc::conflict, what, "there is a table of that name in " + target + ", and it was not changed",
                  command_again(asked, into, target) + "; or " + command_again(asked, kept + "--replace", target));
  }
  if (!living.found.extension.empty())
    throw failure(core::errc::conflict, what, "it belongs to extension " + living.found.extension,
                  command_again(asked, into, target));
  if (living.dependents.empty() || asked.cascade) return;
  std::string all;
  for (const auto& each : living.dependents) all += (all.empty() ? "" : ", ") + each.what;
  throw failure(core::errc::conflict, "can't replace " + to_string(names.into),
                "what depends on it would go, too: " + all,
                command_again(asked, "--replace --cascade", target) + "; or " + command_again(asked, into, target));
}

void require_rights(sql_connection& living, const recover_request& asked, const table_names& names) {
  const std::string what = "can't recover into " + to_string(names.into);
  const std::string table = qualified(names.into.schema, names.into.table);
  const auto may = [&](const std::string& question) {
    return need(living.query("select 1 where " + question), what).size() == 1;
  };
  const std::string role = living.user();
  const std::string schema = quoted_name(names.into.schema);
  if (asked.data_only
          ? may("pg_catalog.has_table_privilege(" + pg::client::quoted_literal(table) + ", 'INSERT')")
          : may("pg_catalog.has_schema_privilege(" + pg::client::quoted_literal(names.into.schema) + ", 'CREATE')"))
    return;
  throw failure(core::errc::permission_denied, what,
                "role " + role +
                    (asked.data_only ? " may not insert into it" : " may not create tables in its schema") +
                    "; nothing was changed",
                (asked.data_only ? "GRANT INSERT ON " + table : "GRANT CREATE ON SCHEMA " + schema) + " TO " +
                    quoted_name(role) + " there; or connect as another role");
}

void require_types(sql_connection& living, const std::vector<used_type>& used, const std::string& what) {
  std::string missing;
  std::string next;
  for (const auto& each : used) {
    const auto there = need(living.query("select pg_catalog.to_regtype($1) is not null", {each.name}), what);
    if (there[0][0] == "t") continue;
    missing += (missing.empty() ? "" : ", ") + each.name +
               (each.extension.empty() ? "" : " (of extension " + each.extension + ")");
    if (!each.extension.empty() && next.find(quoted_name(each.extension)) == std::string::npos)
      next += (next.empty() ? "" : "; ") + std::string("CREATE EXTENSION ") + quoted_name(each.extension);
  }
  if (missing.empty()) return;
  throw failure(
      core::errc::not_found, what,
      "types of its columns are missing in database " + living.database() + ": " + missing + "; nothing was changed",
      next.empty() ? "create them there as they were: pg_dump of the branch has their definitions" : next + " there");
}

std::string quoted_list(const std::vector<std::string>& columns) {
  std::string text;
  for (const auto& each : columns) text += (text.empty() ? "" : ", ") + quoted_name(each);
  return text;
}

/// The work between two connections.
class recovery {
 public:
  recovery(const scope& of, const recover_request& asked, table_names names, sql_connection& past,
           sql_connection& living)
      : of_(of), asked_(asked), names_(std::move(names)), past_(past), living_(living) {}

  recovered_table run(const host::compute_record& compute, const std::string& when,
                      const std::optional<living_table>& existing) {
    open_past(past_);
    set_session(living_, encoding_between(past_));
    table_ = read_past_table(past_, names_.past, when, exists_now(existing));
    table_.into = names_.into;
    if (asked_.data_only)
      add_rows(*existing);
    else
      create(compute, existing);
    return std::move(done_);
  }

 private:
  bool exists_now(const std::optional<living_table>& existing) {
    return names_.past == names_.into ? existing.has_value() : find_relation(living_, names_.past).has_value();
  }
  [[nodiscard]] std::string rows_of(const std::vector<std::string>& columns) const {
    const auto& name = table_.objects.front();
    const std::string table =
        name.created.empty() ? qualified(name.schema, name.name) : qualified(name.new_schema, name.created);
    return "SELECT " + quoted_list(columns) + " FROM " + (table_.found.kind == 'p' ? "" : "ONLY ") + table;
  }
  void copy(target_transaction& into, const std::string& table, const std::vector<std::string>& columns) {
    // COPY without columns has no rows that it could tell from none.
    if (columns.empty()) return;
    const auto [rows, bytes] =
        copy_rows(past_, rows_of(columns), into, table, quoted_list(columns), table_.size, *of_.report);
    done_.rows = rows;
    done_.bytes = bytes;
  }
  void finish(target_transaction& into) {
    into.commit(*of_.report);
    done_.notes = table_.notes;
    done_.notes.insert(done_.notes.end(), into.notes().begin(), into.notes().end());
  }
  void tell_safe() {
    of_.report->tell("everything is one transaction in " + shown_target(asked_) +
                     ": if this command is interrupted nothing is changed there");
  }

  void add_rows(const living_table& existing) {
    const std::string what = "can't add rows to " + to_string(names_.into);
    const auto match = match_columns(table_.columns, existing.columns);
    if (!match.missing.empty() || !match.unfilled.empty())
      throw failure(core::errc::conflict, what,
                    (match.missing.empty() ? "" : "it has no columns " + comma_separated(match.missing)) +
                        (match.missing.empty() || match.unfilled.empty() ? "" : "; ") +
                        (match.unfilled.empty()
                             ? ""
                             : "it requires values for columns that are new: " + comma_separated(match.unfilled)) +
                        "; nothing was changed",
                    "strata recover table " + shell_quoted(asked_.table) + " --into " +
                        shell_quoted(to_string({"", names_.into.schema, names_.into.table + "_recovered"})) + " " +
                        shell_quoted(shown_target(asked_)) + ", and INSERT ... SELECT from there");
    for (const auto& each : match.other_type) table_.notes.push_back("column of another type: " + each);
    if (!match.defaulted.empty())
      table_.notes.push_back("columns that are new in the target get their defaults: " +
                             comma_separated(match.defaulted));
    tell_safe();
    target_transaction into(living_, shown_target(asked_));
    // Triggers run as for the table's other users.
    into.require("SET LOCAL search_path TO DEFAULT", "begin a transaction");
    const std::string table = qualified(names_.into.schema, names_.into.table);
    copy(into, table, match.copied);
    raise_sequences(past_, qualified(names_.past.schema, names_.past.table), into, table, match.copied);
    finish(into);
  }

  void name_everything(const std::optional<living_table>& existing) {
    names_taken taken;
    names_taken freed;
    for (const auto& each : table_.objects) {
      const std::string& schema = each.schema == names_.past.schema ? names_.into.schema : each.schema;
      if (!taken.relations.contains(schema)) taken.relations[schema] = names_in(living_, schema, false);
      if (!taken.statistics.contains(schema)) taken.statistics[schema] = names_in(living_, schema, true);
    }
    if (existing)
      for (const auto& each : existing->objects)
        (each.kind == "STATISTICS" ? freed.statistics : freed.relations)[each.schema].insert(each.name);
    choose_names(table_.objects, names_.into.schema, names_.into.table, taken, freed);
  }

  /// What a dropped table has taken with it.
  void note_dependents() {
    for (const auto& each : dependents_of(past_, table_.tree)) {
      if (each.recreate.empty()) continue;
      table_.notes.push_back(
          each.what +
          " depended on it then, and is not recovered with it; to create it if it is missing: " + each.recreate);
    }
  }

  void create(const host::compute_record& compute, const std::optional<living_table>& existing) {
    const std::string what = "recover " + to_string(names_.past);
    require_types(living_, used_types(past_, table_), "can't " + what);
    if (names_.past == names_.into && !existing) note_dependents();
    name_everything(existing);
    const auto definitions = prepare_past(past_, table_, {asked_.indexes, asked_.constraints});
    const auto before = dump_past(compute, past_, table_, dump_section::before_data);
    tell_safe();
    target_transaction into(living_, shown_target(asked_));
    std::vector<std::string> closing;
    run_statements(into, before, closing, false);
    std::vector<std::string> columns;
    for (const auto& each : table_.columns)
      if (!each.is_generated) columns.push_back(each.name);
    const auto& root = table_.objects.front();
    copy(into, qualified(root.new_schema, root.created), columns);
    for (const auto& each : sequence_positions(past_, table_)) into.require(each, what);
    run_statements(into, dump_past(compute, past_, table_, dump_section::after_data), closing, true);
    for (const auto& each : definitions.statistics) into.attempt(each);
    for (const auto& each : definitions.foreign_keys) into.add_foreign_key(each);
    for (const auto& each : closing) into.attempt(each);
    if (existing) {
      into.replace(names_.into, asked_.cascade, table_.objects);
      for (const auto& each : existing->dependents)
        table_.notes.push_back(each.what + " was dropped with the table that was replaced" +
                               (each.recreate.empty() ? "" : "; to create it again: " + each.recreate));
      done_.replaced = true;
    }
    finish(into);
  }

  void run_statements(target_transaction& into, const std::vector<std::string>& statements,
                      std::vector<std::string>& closing, bool shown) {
    progress line(*of_.report);
    for (const auto& each : statements) {
      const auto use = use_of(each);
      if (use == statement_use::skipped) continue;
      if (shown) line.show("building", shown_statement(each));
      if (use == statement_use::closing)
        closing.push_back(each);
      else if (use == statement_use::optional)
        into.attempt(each);
      else
        into.require(each, "execute \"" + shown_statement(each) + "\"");
    }
  }

  const scope& of_;
  const recover_request& asked_;
  table_names names_;
  sql_connection& past_;
  sql_connection& living_;
  past_table table_;
  recovered_table done_;
};

/// What is read, and where.
struct past_place {
  const server_link& server;
  const branch_entry& branch;
  std::string path;  ///< SOURCE/BRANCH
  std::string database;
};

compute_request reader_of(const std::string& path, core::lsn at) {
  return {.spec = path + "@" + core::to_string(at),
          .name = "recover-" + std::to_string(::getpid()),
          .pages = {.fill = false}};
}

bool has_table(const scope& of, const past_place& in, const table_name& name, core::lsn at) {
  temporary_compute made(of, reader_of(in.path, at));
  bool found = false;
  {
    auto past = connect_as_superuser(made.record(), in.database);
    set_session(past, "UTF8");
    found = find_relation(past, name).has_value();
  }
  made.remove();
  return found;
}

/// The nearest point with the table, by a few looks of a fraction of a second each; nullopt if none has found it.
std::optional<core::lsn> nearest_with_table(const scope& of, const past_place& in, const table_name& name,
                                            core::lsn missing) {
  constexpr unsigned looks_max = 10;
  constexpr std::chrono::seconds limit{5};
  const auto position = [&](const char* member) { return core::parse_lsn(in.branch.text(member)); };
  const auto first = position("readable_from_lsn");
  const auto last = position("last_record_lsn");
  if (!first || !last || missing < *first || *last < missing) return std::nullopt;
  const auto end = std::chrono::steady_clock::now() + limit;
  presence_search search(*first, missing, *last, looks_max);
  of.report->tell("it was not there; looking for the nearest time at which it was");
  scope quiet = of;
  quiet.report = &no_reporter();
  try {
    while (const auto at = search.next()) {
      if (std::chrono::steady_clock::now() > end) break;
      search.seen(has_table(quiet, in, name, *at));
    }
  } catch (const failure&) {  // what was found so far will do
  }
  return search.nearest();
}

/// With the nearest time at which the table was there, if a short search finds one.
[[noreturn]] void fail_with_nearest(const scope& of, const past_place& in, const recover_request& asked,
                                    const table_name& name, core::lsn missing, const failure& why) {
  const auto nearest = nearest_with_table(of, in, name, missing);
  if (!nearest)
    throw failure(why.code(), why.what(), why.why() + "; a short search found no time at which it was there",
                  why.next());
  const auto time = in.server.get(in.branch.path() + "/get_timestamp_of_lsn?lsn=" + core::to_string(*nearest));
  const std::string when =
      time && time->is_string() ? " (" + time_shown(time->get<std::string>()) + ")" : std::string();
  recover_request again = asked;
  again.table = to_string(name) + "@" + core::to_string(*nearest);
  throw failure(
      why.code(), why.what(),
      why.why() + "; it was there at " + core::to_string(*nearest) + when +
          ", the nearest time that a short "
          "search found",
      command_again(again, asked.into.empty() ? "" : "--into " + shell_quoted(asked.into), shown_target(asked)));
}

/// Of commands like this one that were killed: nobody would start another compute under their names.
void remove_interrupted(const scope& of) {
  for (const auto& each : list_computes(of)) {
    if (!each.temporary || state_of(of, each) != "interrupted") continue;
    of.report->note("removing compute " + each.name + ", left by an interrupted command");
    stop_compute(of, each, true);
  }
}

}  // namespace

recovered_table recover_table(const scope& of, const recover_request& asked) {
  check_request(asked);
  table_names names = names_of(asked);
  const server_link server(of);
  const branch_entry branch = branch_to_read(server, of, asked);
  const std::string path = branch.source.name + "/" + branch.name;
  // Before anything is started: ten minutes ago is ten minutes before the command.
  const resolved_point point = resolve(server, branch, parse_spec(path + "@" + names.when).at);

  const bool is_uri = names_server(asked.target);
  std::optional<host::compute_record> target;
  if (!is_uri) target = living_compute(of, server, asked);
  std::string database = names.past.database;
  if (database.empty() && is_uri) database = pg::client::database_in_conninfo(asked.target);
  if (database.empty()) database = source_login_of(server, branch).database;
  auto living = target ? connect_as_superuser(*target, database)
                       : need(sql_connection::open(asked.target, database), "can't connect to " + shown_target(asked));
  set_session(living, "UTF8");
  const auto existing = read_living_table(living, names.into);
  if (existing) refuse_existing(asked, names, *existing);
  if (!existing && asked.data_only)
    throw failure(core::errc::not_found, "can't add rows to " + to_string(names.into),
                  "database " + living.database() + " of " + shown_target(asked) + " has no such table",
                  "omit --data-only to create it");

  require_rights(living, asked, names);

  remove_interrupted(of);
  of.report->tell("reading " + to_string(names.past) + " of " + describe(branch, point));
  temporary_compute made(of, reader_of(path, point.at));
  recovered_table done;
  try {
    auto past = connect_as_superuser(made.record(), database);
    recovery work(of, asked, names, past, living);
    done = work.run(made.record(), path + "@" + core::to_string(point.at), existing);
  } catch (const failure& e) {
    try {
      made.remove();
    } catch (const failure& left) {
      of.report->failed(left);
    }
    if (e.slug() != no_table_then) throw;
    fail_with_nearest(of, {server, branch, path, database}, asked, names.past, point.at, e);
  }
  made.remove();
  done.branch = path;
  done.at = point.at;
  done.database = living.database();
  done.table = to_string(names.past);
  done.into = to_string(names.into);
  return done;
}

}  // namespace strata::control
