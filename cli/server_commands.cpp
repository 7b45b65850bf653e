#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/branch_writers.hpp"
#include "cli/branches.hpp"
#include "cli/commands.hpp"
#include "cli/computes.hpp"
#include "cli/counted.hpp"
#include "cli/failure.hpp"
#include "cli/last_words.hpp"
#include "cli/listen_address.hpp"
#include "cli/log_levels.hpp"
#include "cli/own_directory.hpp"
#include "cli/safekeeper_processes.hpp"
#include "cli/safekeeper_table.hpp"
#include "cli/server_process.hpp"
#include "cli/terminal.hpp"
#include "config/config_file.hpp"
#include "host/free_port.hpp"
#include "host/postgres_install.hpp"
#include "host/program.hpp"

namespace strata::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::chrono::seconds stop_limit{120};

struct up_options {
  std::optional<std::uint16_t> http_port;
  std::optional<std::uint16_t> page_port;
  std::optional<std::uint16_t> broker_port;
  std::optional<std::uint32_t> safekeepers;
  std::optional<std::string> listen_address;
  bool insecure = false;
  bool detach = false;
  std::string log_level = "info";
};

json to_json(const server_file& of, const std::string& directory) {
  return {{"pid", of.pid},       {"http", of.http},       {"page", of.page},
          {"broker", of.broker}, {"version", of.version}, {"directory", directory}};
}

bool has_sources(const context& of) {
  try {
    return !list_sources(server_link(of)).empty();
  } catch (const failure&) {
    return true;  // strata status tells more
  }
}

void announce(const context& of, const server_file& file) {
  if (of.json) return print(to_json(file, of.directory));
  print("strata " + file.version + " is up on " + of.directory + ", process " + std::to_string(file.pid));
  print("  http  http://" + file.http);
  print("  page  " + file.page);
  if (const auto all = view_safekeepers(of.directory); !all.empty()) {
    const auto up = std::count_if(all.begin(), all.end(), [](const auto& each) { return each.up(); });
    const std::string known = std::to_string(all.size());
    print("  safekeepers  " + (up == std::ssize(all) ? known : std::to_string(up) + " of " + known) + ", broker " +
          file.broker);
    for (const auto& each : all)
      if (!each.up())
        say("note: safekeeper " + std::to_string(each.id) + " " + each.trouble + "; why may be in " +
            safekeeper_directory(of.directory, each.id) + "/safekeeper.log");
  }
  say(has_sources(of) ? std::string("next: strata status")
                      : "next: strata source add NAME --conninfo postgresql://user@host:port/postgres");
}

server_request request_of(const context& of, const up_options& asked) {
  server_request request;
  config::server_options base;
  base.directory = of.directory;
  request.options = need(config::load_config_file(of.directory + "/strata.toml", base), "can't use strata.toml",
                         "correct the line, or move the file away");
  if (asked.http_port) request.options.http_port = *asked.http_port;
  if (asked.page_port) request.options.page_port = *asked.page_port;
  if (asked.broker_port) request.options.broker_port = *asked.broker_port;
  if (asked.safekeepers) request.options.safekeepers = *asked.safekeepers;
  if (asked.listen_address) request.options.listen_address = *asked.listen_address;
  const config::server_options& ports = request.options;
  for (const auto& [one, other] :
       {std::pair(ports.http_port, ports.page_port), std::pair(ports.http_port, ports.broker_port),
        std::pair(ports.page_port, ports.broker_port)})
    if (one != 0 && one == other)
      throw failure(exit_code::usage, "invalid_argument", "can't open port " + std::to_string(one) + " twice",
                    "the HTTP API, the page service and the broker need a port each", "strata up --help");
  // 0 asks for one that the directory has not had.
  for (const auto& [port, option] : {std::pair(asked.http_port, &config::server_options::http_port),
                                     std::pair(asked.page_port, &config::server_options::page_port)})
    if (port == 0) request.options.*option = need(host::free_port(), "can't find a free port");
  request.options.listen_address =
      need(checked_listen_address(request.options.listen_address, asked.insecure), "can't listen there",
           "strata up --listen 127.0.0.1, and a tunnel or proxy that authenticates for those outside");
  if (!of.pg_bin.empty()) request.options.pg_bin = of.pg_bin;
  request.options.pg_bin = need(host::check_directories(request.options.pg_bin), "can't use pg_bin",
                                "name directories with the program postgres, separated by ':'");
  request.log_level = log_level_of(asked.log_level);
  return request;
}

void prepare_directory(const std::string& directory) {
  need(take_own_directory(directory, server_directory_kind()), "can't use " + directory,
       "name a directory of yours with --dir");
  // What is in it is closed to others.
  ::umask(0077);
}

/// In the detached process: what it wants to tell goes through the pipe, then it is on its own.
[[noreturn]] void run_detached(const context& of, server_request request, int report) {
  ::setsid();
  const int nothing = ::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, standard);
  request.log_file = of.directory + "/strata.log";
  // For the last words of a library that ends the process, which know of no log.
  if (const int log = ::open(request.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600); log >= 0) {
    ::dup2(log, STDERR_FILENO);
    ::close(log);
  }
  const auto tell = [&](const std::string& text) {
    [[maybe_unused]] const auto told = ::write(report, text.data(), text.size());
    ::close(report);
  };
  bool told = false;
  try {
    run_server(request, [&](const server_file& file) {
      told = true;
      tell(json{{"ready", to_json(file, of.directory)}}.dump());
    });
    ::_exit(0);
  } catch (const failure& e) {
    if (!told) tell(e.json());
    core::log_error(e.text(false));
    ::_exit(static_cast<int>(e.code()));
  } catch (const std::exception& e) {
    const failure trouble(exit_code::failure, "io_error", "unexpected trouble", e.what(), "");
    if (!told) tell(trouble.json());
    core::log_error(trouble.text(false));
    ::_exit(1);
  }
}

std::string read_report(int from) {
  std::string text;
  char part[4096];
  for (;;) {
    const ssize_t got = ::read(from, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(part, static_cast<std::size_t>(got));
  }
}

void detach(const context& of, const server_request& request) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) throw failure(core::from_errno("make a pipe", errno), "can't detach", "");
  const pid_t child = ::fork();
  if (child < 0) throw failure(core::from_errno("fork", errno), "can't detach", "");
  if (child == 0) {
    ::close(report[0]);
    run_detached(of, request, report[1]);
  }
  ::close(report[1]);
  const last_words on_signal("", "\ninterrupted; the server, process " + std::to_string(child) +
                                     ", may be up in a moment: strata status; strata down\n");
  const std::string text = read_report(report[0]);
  ::close(report[0]);
  const json told = json::parse(text, nullptr, false);
  if (told.is_object() && told.contains("ready")) {
    const json& ready = told["ready"];
    announce(of, {ready["pid"], ready["http"], ready["page"], ready["version"], "", "", ready["broker"]});
    return finish_output("the server is up and stays so");
  }
  const std::string log = of.directory + "/strata.log";
  if (!told.is_object() || !told.contains("error"))
    throw failure(exit_code::failure, "io_error", "the server ended while it was starting", "its log may say why",
                  "tail " + log);
  const json& e = told["error"];
  throw failure(static_cast<exit_code>(e["exit_code"].get<int>()), e["code"], e["message"], e["why"],
                e.value("next", "").empty() ? "tail " + log : e.value("next", ""));
}

void up(const context& of, const up_options& asked) {
  context here = of;
  here.directory = fs::absolute(of.directory).lexically_normal();
  if (here.directory.ends_with('/')) here.directory.pop_back();
  prepare_directory(here.directory);
  const server_request request = request_of(here, asked);
  if (asked.detach) return detach(here, request);
  run_server(request, [&](const server_file& file) {
    announce(here, file);
    finish_output("the server stops again");
  });
}

/// One that could not have everything acknowledged is stopped, too: the rest is not kept up by that.
void stop_on_the_way_down(const context& of, const host::compute_record& record) {
  try {
    stop_compute(of, record, false);
  } catch (const failure& e) {
    if (is_busy(of, record)) throw;
    say(e.text(false));
  }
}

void down(const context& of, bool with_computes) {
  // Before what they need: one that writes its branch waits until all is acknowledged.
  std::size_t stopped = 0;
  std::size_t left = 0;
  for (const auto& each : list_computes(of)) {
    if (!is_busy(of, each)) continue;
    if (with_computes) stop_on_the_way_down(of, each);
    ++(with_computes ? stopped : left);
  }
  // What has a damaged record is not in the list.
  for (const auto& writer : living_writers(of)) {
    if (writer.record) continue;
    if (with_computes) stop_on_the_way_down(of, host::registry(of.directory).remains_of(writer.name));
    ++(with_computes ? stopped : left);
  }
  const auto holder = directory_lock::holder(of.directory);
  if (holder && *holder > 0) {
    ::kill(*holder, SIGTERM);
    progress line(of.json);
    line.show("stopping process " + std::to_string(*holder), "");
    if (!host::wait_for_end(*holder, stop_limit))
      throw failure(exit_code::unreachable, "timeout", "the server does not end",
                    "process " + std::to_string(*holder) + " was told to, and still runs",
                    "wait, or kill -9 " + std::to_string(*holder) + "; nothing acknowledged is lost");
  }
  // After the server, which would start them again.
  const std::size_t safekeepers = need(stop_safekeepers(of.directory, stop_limit), "a safekeeper does not end",
                                       "wait, or kill -9 it; nothing acknowledged is lost");
  if (of.json)
    return print(json{{"was_running", holder.has_value()},
                      {"safekeepers_stopped", safekeepers},
                      {"computes_stopped", stopped},
                      {"computes_running", left}});
  print(holder ? "stopped the server of " + of.directory : "no server runs on " + of.directory);
  if (stopped > 0) print("stopped " + counted(stopped, "compute"));
  if (safekeepers > 0) print("stopped " + counted(safekeepers, "safekeeper"));
  if (left > 0)
    say("note: " + counted(left, "compute") + (left == 1 ? " is" : " are") + " still running; strata compute list");
}

}  // namespace

void add_server_commands(CLI::App& app, context& of) {
  auto* up_command = app.add_subcommand("up", "Start the server of a directory");
  auto asked = std::make_shared<up_options>();
  up_command->add_option("--http-port", asked->http_port,
                         "Port of the HTTP API (default: a free one, then the same again)");
  up_command->add_option("--page-port", asked->page_port, "Port of the page service (default: likewise)");
  up_command
      ->add_option("--safekeepers", asked->safekeepers,
                   "Safekeepers that keep the WAL of branches, 0 to 9 (default: those that the directory has)")
      ->check(CLI::Range(0u, static_cast<unsigned>(safekeepers_max)));
  up_command->add_option("--broker-port", asked->broker_port,
                         "Port on which safekeepers reach the server (default: likewise)");
  up_command->add_option("--listen", asked->listen_address, "IP address of all ports (default: 127.0.0.1)");
  up_command->add_flag("--insecure", asked->insecure,
                       "Listen also where others than programs of this machine connect; there is no authentication");
  up_command->add_option("--pg-bin", of.pg_bin,
                         "Directories of Postgres programs, separated by ':', to look in before the usual places");
  up_command->add_flag("--detach", asked->detach, "Return when it is ready; it logs to DIR/strata.log");
  add_log_level(*up_command, asked->log_level);
  finish_command(*up_command, of,
                 "  strata up --detach\n  strata up --detach --safekeepers 3\n  strata up --dir /srv/strata "
                 "--http-port 9898 --page-port 64000",
                 [&of, asked] { up(of, *asked); });

  auto* down_command = app.add_subcommand("down", "Stop the server of a directory; everything acknowledged is kept");
  auto with_computes = std::make_shared<bool>(false);
  down_command->add_flag("--computes", *with_computes, "Stop the computes, too");
  finish_command(*down_command, of, "  strata down\n  strata down --computes",
                 [&of, with_computes] { down(of, *with_computes); });
}

}  // namespace strata::cli
