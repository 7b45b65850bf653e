#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/shared_options.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "control/recover_table.hpp"
#include "control/recover_table_plan.hpp"

namespace strata::cli {

using namespace control;
namespace {

void recover(const context& of, const recover_request& asked) {
  const auto begun = std::chrono::steady_clock::now();
  const auto done = recover_table(of, asked);
  if (of.json)
    return print(nlohmann::json{{"branch", done.branch},
                                {"lsn", core::to_string(done.at)},
                                {"database", done.database},
                                {"table", done.table},
                                {"into", done.into},
                                {"rows", done.rows},
                                {"bytes", done.bytes},
                                {"replaced", done.replaced},
                                {"notes", done.notes}});
  for (const auto& each : done.notes) of.report->note(each);
  print((done.replaced ? "replaced " : "recovered ") + done.into +
        (asked.data_only           ? ", rows only"
         : done.into == done.table ? ""
                                   : ", which was " + done.table) +
        "   " + grouped(done.rows) + " rows, " + config::size_text(done.bytes) + "   " + time_taken(begun));
}

}  // namespace

void add_recover_commands(CLI::App& app, context& of) {
  auto* group = app.add_subcommand("recover", "Bring back a part of a database as it was");
  group->require_subcommand(1);

  auto* command = group->add_subcommand(
      "table",
      "Copy one table as it was at a point in time into a living database: the definition, rows, indexes, constraints, "
      "triggers and privileges, in one transaction. The past is read through a temporary Postgres that fetches only "
      "the pages it touches. A table that exists is not changed without --replace or --data-only");
  auto asked = std::make_shared<recover_request>();
  command
      ->add_option("TABLE", asked->table, "[[DB.]SCHEMA.]TABLE@WHEN; names with capitals, dots or '@' in double quotes")
      ->required();
  command
      ->add_option("TARGET", asked->target,
                   "Branch (its running Postgres; started if none runs), or URI of any Postgres")
      ->required();
  command->add_option("--from", asked->from, "Branch whose past is read (default: the target; with a URI main)");
  command->add_option("--into", asked->into, "[SCHEMA.]NAME in the target (default: as the table was called)");
  command->add_flag("--data-only", asked->data_only,
                    "Add the rows to a table that exists; columns are matched by name");
  command->add_flag("--indexes,!--no-indexes", asked->indexes,
                    "Recover indexes that no constraint needs (default: yes)");
  command->add_flag("--constraints,!--no-constraints", asked->constraints,
                    "Recover primary key, unique, check, exclusion and foreign key constraints (default: yes)");
  command->add_flag("--replace", asked->replace, "Drop the table that exists, in the same transaction");
  command->add_flag("--cascade", asked->cascade, "With --replace: also drop what depends on the table that exists");
  add_tenant_option(*command, of);
  add_pg_bin_option(*command, of);
  finish_command(*command, of,
                 "  strata recover table public.orders@10m dev\n"
                 "  strata recover table shop.public.orders@\"yesterday 14:00\" --into orders_old dev\n"
                 "  strata recover table public.orders@10m --from main postgresql://postgres@127.0.0.1:5432/shop\n"
                 "  strata recover table public.orders@10m --data-only dev",
                 [&of, asked] { recover(of, *asked); });
}

}  // namespace strata::cli
