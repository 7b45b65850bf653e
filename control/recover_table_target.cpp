#include "control/recover_table_target.hpp"

#include <algorithm>
#include <utility>

#include "control/discard.hpp"
#include "control/failure.hpp"

namespace strata::control {
namespace {

using pg::client::quoted_literal;
using pg::client::quoted_name;
using pg::client::sql_connection;

constexpr const char* foreign_key_violation = "23503";
/// A COPY is ended after so much, and another one begun: an error of the server is seen at its end only.
constexpr std::uint64_t copy_bytes = 16u << 20;
constexpr std::chrono::milliseconds between_progress{100};
constexpr std::chrono::minutes commit_limit{1};

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

struct sequence_place {
  std::string name;
  long long last = 0;
  long long increment = 0;
  bool is_called = false;
};
std::optional<sequence_place> sequence_of(sql_connection& in, const std::string& table, const std::string& column) {
  const auto named = ask_catalog(in,
                                 "select s.oid::regclass, q.seqincrement from pg_catalog.pg_class s join"
                                 " pg_catalog.pg_sequence q on q.seqrelid = s.oid where s.oid ="
                                 " pg_catalog.pg_get_serial_sequence($1, $2)::regclass",
                                 {table, column});
  if (named.empty()) return std::nullopt;
  const auto place = ask_catalog(in, "select last_value, is_called from " + *named[0][0]);
  return sequence_place{*named[0][0], std::stoll(*place[0][0]), std::stoll(*named[0][1]), place[0][1] == "t"};
}
long long next_of(const sequence_place& of) { return of.is_called ? of.last + of.increment : of.last; }

}  // namespace

std::optional<living_table> read_living_table(sql_connection& living, const table_name& name) {
  const std::string what = "can't recover into " + to_string(name);
  if (ask_catalog(living,
                  "select 1 where pg_catalog.pg_is_in_recovery() or"
                  " pg_catalog.current_setting('transaction_read_only') = 'on'")
          .size() == 1)
    throw failure(core::errc::conflict, what, "its server takes no writes", "name a branch, or the URI of a primary");
  if (ask_catalog(living, "select 1 from pg_catalog.pg_namespace where nspname = $1", {name.schema}).empty())
    throw failure(core::errc::not_found, what, "database " + living.database() + " has no schema " + name.schema,
                  "CREATE SCHEMA " + quoted_name(name.schema) + " there; or use --into SCHEMA.NAME");
  const auto found = find_relation(living, name);
  if (!found) return std::nullopt;
  living_table table{*found, {found->oid}, {}, {}, {}};
  if (!kind_text(found->kind).empty()) return table;
  table.tree = tree_of(living, found->oid);
  table.columns = columns_of(living, found->oid);
  table.objects = objects_of(living, table.tree);
  table.dependents = dependents_of(living, table.tree);
  for (const auto& row :
       ask_catalog(living, "select inhparent::regclass from pg_catalog.pg_inherits where inhrelid = " + found->oid))
    table.dependents.push_back({"its place below table " + *row[0], ""});
  return table;
}

target_transaction::target_transaction(sql_connection& living, std::string shown)
    : living_(living), shown_(std::move(shown)) {
  // Others wait behind a command that waits for a lock.
  require("BEGIN; SET LOCAL lock_timeout = '10s'", "begin a transaction");
}

void target_transaction::fail(const core::error& why, const std::string& doing) {
  std::string next;
  if (living_.sqlstate() == "55P03") next = "end the transactions that have the table locked there, then try again";
  if (why.code == core::errc::permission_denied)
    next = "connect as a role that may do this, as the owner of the schema";
  throw failure(why.code, "can't " + doing + " in " + shown_, why.detail + "; nothing was changed", next);
}

void target_transaction::check(const core::result<void>& done, const std::string& doing) {
  if (!done) fail(done.error(), doing);
}

void target_transaction::require(const std::string& statement, const std::string& doing) {
  check(living_.execute(statement), doing);
}

core::result<void> target_transaction::in_savepoint(const std::string& statement) {
  require("SAVEPOINT strata", "set a savepoint");
  auto done = living_.execute(statement);
  if (!done && living_.sqlstate().empty()) fail(done.error(), "go on");
  const std::string state = living_.sqlstate();
  require(done ? "RELEASE SAVEPOINT strata" : "ROLLBACK TO SAVEPOINT strata; RELEASE SAVEPOINT strata",
          "end a savepoint");
  return done;
}

void target_transaction::attempt(const std::string& statement) {
  if (const auto done = in_savepoint(statement); !done)
    notes_.push_back("left out: " + shown_statement(statement) + ": " + done.error().detail);
}

void target_transaction::add_foreign_key(const foreign_key& key) {
  const std::string alter = "ALTER TABLE " + key.table + " ";
  const std::string add = alter + "ADD CONSTRAINT " + quoted_name(key.name) + " " + key.definition;
  const auto done = in_savepoint(add);
  if (done) return;
  const bool is_violated = living_.sqlstate() == foreign_key_violation;
  if (is_violated && in_savepoint(add + " NOT VALID")) {
    notes_.push_back("foreign key " + key.name + " is NOT VALID: " + done.error().detail +
                     "; when the rows are there: " + alter + "VALIDATE CONSTRAINT " + quoted_name(key.name));
    return;
  }
  notes_.push_back("left out: " + add + ": " + done.error().detail);
}

void target_transaction::replace(const table_name& old, bool cascade, const std::vector<object_name>& by) {
  require("DROP TABLE " + qualified(old.schema, old.table) + (cascade ? " CASCADE" : ""), "replace " + to_string(old));
  for (const auto& each : by) {
    if (each.created == each.final_name) continue;
    const std::string created = qualified(each.new_schema, each.created);
    const std::string rename = "ALTER " + each.kind + " " + created + " RENAME TO " + quoted_name(each.final_name);
    // Statistics may have been left out.
    if (each.kind == "STATISTICS")
      attempt(rename);
    else
      require(rename, "replace " + to_string(old));
    for (auto& note : notes_) {
      replace_all(note, created, qualified(each.new_schema, each.final_name));
      replace_all(note, to_string({"", each.new_schema, each.created}),
                  to_string({"", each.new_schema, each.final_name}));
    }
  }
}

void target_transaction::commit(reporter& report) {
  core::result<void> done;
  {
    const held_signals hold;
    done = living_.commit(commit_limit);
  }
  while (!done && done.error().code == core::errc::timeout) {
    report.show_progress("committing", "the server has not answered yet");
    done = living_.commit(commit_limit);
  }
  if (done) return;
  if (done.error().code == core::errc::outcome_unknown)
    throw failure(done.error().code, "the table may have been recovered in " + shown_, done.error().detail,
                  "look whether it is there");
  fail(done.error(), "commit");
}

copied_rows copy_rows(sql_connection& past, const std::string& select, target_transaction& into,
                      const std::string& table, const std::string& columns, const table_size& expected,
                      reporter& report) {
  using clock = std::chrono::steady_clock;
  sql_connection& living = into.connection();
  const std::string what = "copy rows into " + table;
  const std::string copy = "COPY " + table + " (" + columns + ") FROM STDIN";
  need(past.begin_copy_out("COPY (" + select + ") TO STDOUT"), "can't read the rows as they were");
  copied_rows all;
  std::uint64_t in_this_copy = 0;
  progress line(report);
  const double rows_expected = expected_rows(expected);
  const double bytes_expected = static_cast<double>(expected.heap_bytes + expected.toast_bytes);
  const auto begun = clock::now();
  auto shown = begun;
  into.check(living.begin_copy_in(copy), what);
  for (;;) {
    const auto next = need(past.next_line(), "can't read the rows as they were");
    if (!next) break;
    into.check(living.put_line(*next), what);
    ++all.rows;
    all.bytes += next->size();
    in_this_copy += next->size();
    if (in_this_copy >= copy_bytes) {
      into.check(living.end_copy_in(), what);
      into.check(living.begin_copy_in(copy), what);
      in_this_copy = 0;
    }
    const auto now = clock::now();
    if (now - shown < between_progress && all.rows != 1) continue;
    shown = now;
    line.show("copying", progress_text(all.rows, all.bytes, rows_expected, bytes_expected,
                                       std::chrono::duration_cast<std::chrono::milliseconds>(now - begun)));
  }
  into.check(living.end_copy_in(), what);
  return all;
}

void raise_sequences(sql_connection& past, const std::string& past_table, target_transaction& into,
                     const std::string& table, const std::vector<std::string>& columns) {
  for (const auto& column : columns) {
    const auto then = sequence_of(past, past_table, column);
    const auto now = sequence_of(into.connection(), table, column);
    if (!then || !now || then->increment <= 0 || now->increment <= 0 || next_of(*then) <= next_of(*now)) continue;
    // Unlike setval() this is undone when the transaction is.
    into.attempt("ALTER SEQUENCE " + now->name + " RESTART WITH " + std::to_string(next_of(*then)));
  }
}

}  // namespace strata::control
