#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.hpp"
#include "cli/confirmation.hpp"
#include "cli/context.hpp"
#include "cli/interruption_notice.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "control/databases.hpp"
#include "control/failure.hpp"

namespace strata::cli {

using namespace control;
namespace {

using nlohmann::json;

struct new_database_options : cluster_request {
  std::string name;
};

struct imported_database_options {
  std::string name;
  std::string path;
};

json made_json(const new_database& made) {
  return {{"name", made.source.name},
          {"tenant_id", made.source.id},
          {"branch", "main"},
          {"pg_version", made.major},
          {"bytes", made.bytes}};
}

std::string interrupted_creation(const std::string& name) {
  return "\ninterrupted; the server may have created " + name + ": strata status; strata delete " + name + "\n";
}

void create_database_and_show(const context& of, const new_database_options& asked) {
  const auto begun = std::chrono::steady_clock::now();
  const interruption_notice on_signal("", interrupted_creation(asked.name));
  const auto made = create_database(of, asked.name, asked);
  if (of.json) return print(made_json(made));
  print("created " + made.source.name + ": Postgres " + std::to_string(made.major) + ", " + asked.encoding + ", " +
        asked.locale + "  " + time_taken(begun));
  say("next: strata psql " + made.source.spec_of("main"));
}

void import_database_and_show(const context& of, const imported_database_options& asked) {
  const auto begun = std::chrono::steady_clock::now();
  const interruption_notice on_signal("", interrupted_creation(asked.name));
  const auto made = import_database(of, asked.name, asked.path);
  if (of.json) return print(made_json(made));
  print("imported " + asked.path + " as " + made.source.name + ": Postgres " + std::to_string(made.major) + "  " +
        config::size_text(made.bytes) + " read  " + time_taken(begun));
  say("next: strata psql " + made.source.spec_of("main"));
}

void delete_database_and_show(const context& of, const std::string& name, bool force, bool yes) {
  const auto plan = plan_database_deletion(of, name);
  confirm("can't delete " + plan.source.name, plan.source.name, describe(of, plan), yes);
  remove_source(of, plan, force);
  if (of.json) return print(json{{"deleted", plan.source.name}, {"tenant_id", plan.source.id}});
  print("deleted " + plan.source.name + " with all its branches");
}

}  // namespace

void add_database_commands(CLI::App& app, context& of) {
  auto* create = app.add_subcommand("create",
                                    "Create an empty database: its branch main is written through "
                                    "safekeepers.\nThe superuser is postgres.");
  auto asked = std::make_shared<new_database_options>();
  create->add_option("NAME", asked->name, "Name of the database; its branches are NAME/main, NAME/...")->required();
  create->add_option("--pg", asked->major, "Major version of Postgres, 14 to 18 (default: the newest installed)");
  create->add_option("--encoding", asked->encoding, "Encoding")->capture_default_str();
  create->add_option("--locale", asked->locale, "Locale of the operating system")->capture_default_str();
  finish_command(*create, of, "  strata create shop\n  strata create shop --pg 16 --locale en_US.UTF-8",
                 [&of, asked] { create_database_and_show(of, *asked); });

  auto* import = app.add_subcommand("import",
                                    "Create a database from the data directory of a Postgres that is shut down, or "
                                    "from a tar archive of one (plain or gzip).\nThe directory is only read.");
  auto imported = std::make_shared<imported_database_options>();
  import->add_option("NAME", imported->name, "Name of the database")->required();
  import->add_option("PATH", imported->path, "Data directory or archive, on the server's machine")->required();
  finish_command(*import, of, "  strata import shop /var/lib/postgresql/16/main\n  strata import copy base.tar",
                 [&of, imported] { import_database_and_show(of, *imported); });

  auto* remove = app.add_subcommand(
      "delete", "Delete a database that follows no source (created, imported or promoted), with all its branches");
  auto name = std::make_shared<std::string>();
  auto force = std::make_shared<bool>(false);
  remove->add_option("NAME", *name, "Full name of the database")->required();
  remove->add_flag("--force", *force, "Stop and remove the computes of its branches, including data written to copies");
  auto yes = std::make_shared<bool>(false);
  remove->add_flag("--yes", *yes, "Do not ask for confirmation");
  finish_command(*remove, of, "  strata delete shop\n  strata delete shop --yes",
                 [&of, name, force, yes] { delete_database_and_show(of, *name, *force, *yes); });
}

}  // namespace strata::cli
