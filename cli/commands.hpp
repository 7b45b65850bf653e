#pragma once

namespace CLI {
class App;
}

namespace strata::cli {

struct context;

/// Each adds its commands to the command line. One file per function.
void add_server_commands(CLI::App& app, context& of);      // up, down
void add_status_commands(CLI::App& app, context& of);      // status, actors
void add_database_commands(CLI::App& app, context& of);    // create, import, delete
void add_source_commands(CLI::App& app, context& of);      // source add | list | config | resume | promote | remove
void add_branch_commands(CLI::App& app, context& of);      // branch create | list | show | delete | tree
void add_export_command(CLI::App& app, context& of);       // export
void add_compute_commands(CLI::App& app, context& of);     // compute start | list | stop
void add_agent_command(CLI::App& app, context& of);        // compute-agent, which compute start starts
void add_filler_command(CLI::App& app, context& of);       // compute-filler, which that starts
void add_discard_command(CLI::App& app, context& of);      // compute-discard, which an interrupted command becomes
void add_connect_commands(CLI::App& app, context& of);     // url, psql
void add_demo_command(CLI::App& app, context& of);         // demo
void add_recover_commands(CLI::App& app, context& of);     // recover table
void add_metadata_commands(CLI::App& app, context& of);    // metadata rebuild
void add_wal_commands(CLI::App& app, context& of);         // wal verify
void add_safekeeper_commands(CLI::App& app, context& of);  // safekeeper run

}  // namespace strata::cli
