#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace strata::control {

/// The statements of a script of pg_dump, without comments between them and without commands of psql. Each ends
/// before its semicolon.
std::vector<std::string> statements_of(std::string_view script);

/// What becomes of a statement of pg_dump at the target.
enum class statement_use {
  skipped,   ///< a setting of the session, which has its own
  required,  ///< without it the table is not the table
  optional,  ///< may be left out with a note: a trigger, policy, rule, statistics or comment
  closing,   ///< the same, of owner and privileges: comes last
};
statement_use use_of(std::string_view statement);
/// For a note: its first words, on one line.
std::string shown_statement(std::string_view statement);

/// What an index, sequence or partition of `table` is called when the table becomes `into`: its own name with the part
/// replaced that is the table's. At most 63 bytes.
std::string derived_name(const std::string& name, const std::string& table, const std::string& into);
/// `wanted`, or the first of wanted_1, wanted_2, ... that is not taken; at most 63 bytes. Whole UTF-8 characters.
std::string free_name(const std::string& wanted, const std::set<std::string>& taken);

/// An object beside or of a table, and what it is called on the way into the target.
struct object_name {
  std::string kind;  ///< TABLE, INDEX, SEQUENCE, STATISTICS
  std::string oid;
  std::string schema;
  std::string name;
  std::string new_schema{};
  std::string created{};     ///< until the end of the transaction: free even beside what is replaced
  std::string final_name{};  ///< the same unless something is replaced
};
/// By schema; statistics have names of their own.
struct names_taken {
  std::map<std::string, std::set<std::string>> relations;
  std::map<std::string, std::set<std::string>> statistics;
};
/// Names the objects of a table that becomes `schema`.`into`; the first one is the table. `freed`: names of what is
/// replaced, which are in `taken`, too.
void choose_names(std::vector<object_name>& objects, const std::string& schema, const std::string& into,
                  const names_taken& taken, const names_taken& freed);

struct table_column {
  std::string name;
  std::string type;  ///< as format_type() says
  bool is_generated = false;
  bool is_required = false;  ///< NOT NULL without a default
  bool operator==(const table_column&) const = default;
};
/// Which columns are copied into a table that exists.
struct column_match {
  std::vector<std::string> copied;      ///< in the order of the past
  std::vector<std::string> missing;     ///< of the past, not in the target: no copy
  std::vector<std::string> unfilled;    ///< of the target, required and not in the past: no copy
  std::vector<std::string> defaulted;   ///< of the target, not in the past: get their default
  std::vector<std::string> other_type;  ///< "price (integer, now numeric)"
};
column_match match_columns(const std::vector<table_column>& past, const std::vector<table_column>& living);

/// How large a table is known to be before its rows are read.
struct table_size {
  double known_rows = 0;          ///< pg_class.reltuples; none known: 0 or less
  double known_pages = 0;         ///< pg_class.relpages
  std::uint64_t heap_bytes = 0;   ///< of its main fork now
  std::uint64_t toast_bytes = 0;  ///< of what is stored out of line
};
/// Rows by the density when the table was last analyzed; 0 when it never was.
double expected_rows(const table_size& of);
/// What is left at the rate so far; none before there is one, or when more than expected has come.
std::optional<std::chrono::seconds> time_left(double done, double expected, std::chrono::milliseconds taken);
/// "12,345 rows, 4.1 MiB, 3,200 rows/s, about 12 s left"
std::string progress_text(std::uint64_t rows, std::uint64_t bytes, double rows_expected, double bytes_expected,
                          std::chrono::milliseconds taken);
/// "12,345"
std::string grouped(std::uint64_t number);

}  // namespace strata::control
