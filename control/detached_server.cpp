#include "control/detached_server.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "control/failure.hpp"
#include "core/log.hpp"

namespace strata::control {
namespace {

using nlohmann::json;

std::string log_of(const std::string& directory) { return directory + "/strata.log"; }

std::string to_text(const json& of) { return of.dump(-1, ' ', false, json::error_handler_t::replace); }

json to_json(const server_file& of) {
  return {{"pid", of.pid}, {"http", of.http}, {"page", of.page}, {"broker", of.broker}, {"version", of.version}};
}

json to_json(const failure& of) {
  return {{"code", static_cast<int>(of.code())},
          {"slug", of.slug()},
          {"what", of.what()},
          {"why", of.why()},
          {"next", of.next()}};
}

/// In the detached process: what it has to report goes through the pipe, then it is on its own.
[[noreturn]] void run_detached(const std::string& directory, const detached_server::runner& run, int report) {
  ::setsid();
  const int nothing = ::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, standard);
  const std::string log_file = log_of(directory);
  // For the last words of a library that ends the process, which know of no log.
  if (const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600); log >= 0) {
    ::dup2(log, STDERR_FILENO);
    ::close(log);
  }
  bool told = false;
  const auto tell = [&](const char* name, const json& content) {
    const std::string text = to_text({{name, content}});
    [[maybe_unused]] const auto written = ::write(report, text.data(), text.size());
    ::close(report);
    told = true;
  };
  const auto give_up = [&](const failure& why) {
    if (!told) tell("failure", to_json(why));
    core::log_error(why.text());
  };
  try {
    run(log_file, [&](const server_file& file) { tell("ready", to_json(file)); });
    ::_exit(0);
  } catch (const failure& e) {
    give_up(e);
  } catch (const std::exception& e) {
    give_up({core::errc::io_error, "unexpected error", e.what(), ""});
  }
  ::_exit(1);
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

}  // namespace

detached_server detached_server::start(const std::string& directory, const runner& run) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) throw failure(core::from_errno("make a pipe", errno), "can't detach", "");
  const pid_t child = ::fork();
  if (child < 0) throw failure(core::from_errno("fork", errno), "can't detach", "");
  if (child == 0) {
    ::close(report[0]);
    run_detached(directory, run, report[1]);
  }
  ::close(report[1]);
  return {directory, child, report[0]};
}

server_file detached_server::wait_until_ready() {
  const json told = json::parse(read_report(report_), nullptr, false);
  ::close(report_);
  if (told.is_object() && told.contains("ready")) {
    const json& ready = told["ready"];
    return {ready["pid"], ready["http"], ready["page"], ready["version"], "", "", ready["broker"]};
  }
  const std::string log = "tail " + log_of(directory_);
  if (!told.is_object() || !told.contains("failure"))
    throw failure(core::errc::io_error, "the server ended during its start", "see its log", log);
  const json& e = told["failure"];
  const std::string next = e["next"];
  throw failure(static_cast<core::errc>(e["code"].get<int>()), e["what"], e["why"], next.empty() ? log : next,
                e["slug"]);
}

}  // namespace strata::control
