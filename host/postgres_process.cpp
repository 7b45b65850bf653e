#include "host/postgres_process.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/blocking.hpp"
#include "host/forced_settings.hpp"
#include "host/left_memory.hpp"
#include "host/program.hpp"
#include "io/replace_file.hpp"

namespace strata::host {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds look_interval{2};
constexpr std::size_t log_lines_shown = 8;

/// Lines of postmaster.pid that others may rely on.
struct pid_file {
  pid_t pid = 0;
  std::string data_directory;
  memory_segment memory;
  std::string status;  ///< "ready" once connections are accepted
};

/// The directory itself is not looked at: it may be a mount whose file system does not answer.
fs::path canonical(const std::string& data_directory) {
  const fs::path path = fs::absolute(data_directory).lexically_normal();
  return fs::weakly_canonical(path.parent_path()) / path.filename();
}

std::optional<pid_file> read_pid_file(const std::string& data_directory) {
  std::error_code none;
  const std::string behind = files_behind(data_directory);
  std::ifstream file((fs::exists(behind, none) ? behind : data_directory) + "/postmaster.pid");
  std::vector<std::string> lines;
  for (std::string line; lines.size() < 8 && std::getline(file, line);) lines.push_back(line);
  if (lines.empty()) return std::nullopt;
  pid_file found;
  const std::string& first = lines.front();
  std::from_chars(first.data(), first.data() + first.size(), found.pid);
  if (found.pid <= 0) return std::nullopt;
  if (lines.size() > 1) found.data_directory = lines[1];
  if (lines.size() > 6) found.memory = parse_memory_segment(lines[6]);
  if (lines.size() == 8) found.status = lines[7].substr(0, lines[7].find(' '));
  return found;
}

core::result<void> write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  if (!file.flush()) return core::from_errno("write " + path, errno);
  return {};
}

std::string quoted(const std::string& text, char quote = '\'') {
  std::string made(1, quote);
  for (const char c : text) made += c == quote ? std::string(2, quote) : std::string(1, c);
  return made + quote;
}

std::string access_rules(const postgres_options& of) {
  std::string text = "# Written by Strata. Only its owner can reach the socket's directory.\n";
  if (of.replication_user.empty())
    text += "local replication all trust\n";
  else
    text += "local replication " + quoted(of.replication_user, '"') +
            " trust\nlocal replication all reject\nhost replication all all reject\n";
  text += "local all all trust\n";
  for (const auto& line : of.user_text.hba_lines) text += line + "\n";
  return text +
         // md5 takes what the role has: SCRAM for a SCRAM verifier, and the older one where the source never changed
         // it.
         "host all all 127.0.0.1/32 md5\n"
         "host all all ::1/128 md5\n";
}

/// Sends a signal to a server and waits for its end; reaps it if it is our child.
bool end_with(pid_t server, int signal, std::chrono::milliseconds limit) {
  if (::kill(server, signal) != 0 && errno != ESRCH) return false;
  const bool ended = wait_for_end(server, limit);
  if (ended) ::waitpid(server, nullptr, WNOHANG);
  return ended;
}

/// Processes of Postgres that work in a data directory, its postmaster or not.
std::vector<pid_t> processes_in(const std::string& data_directory) {
  std::vector<pid_t> found;
  const fs::path here = canonical(data_directory);
  std::error_code hidden;
  for (const auto& entry : fs::directory_iterator("/proc", hidden)) {
    const std::string name = entry.path().filename();
    pid_t process = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), process).ptr != name.data() + name.size()) continue;
    if (fs::read_symlink(entry.path() / "cwd", hidden) != here) continue;
    // Somebody's shell may stand there, too.
    if (fs::read_symlink(entry.path() / "exe", hidden).filename() == "postgres") found.push_back(process);
  }
  return found;
}

/// A postmaster that was killed leaves its children, and one that waits for a page does not notice.
void kill_remaining(const std::string& data_directory) {
  const auto remaining = processes_in(data_directory);
  for (const pid_t each : remaining) ::kill(each, SIGKILL);
  for (const pid_t each : remaining) wait_for_end(each, std::chrono::seconds(10));
}

/// Postgres up to 14 sends its statistics to itself by UDP, and without them neither counts nor vacuums on its own.
connection_block_options block_for(const std::string& data_directory) {
  constexpr int first_without_udp = 15;
  int major = 0;
  std::ifstream(data_directory + "/PG_VERSION") >> major;
  return {.allow_udp = major < first_without_udp};
}

/// The last lines of what was written to the log after `from`.
std::string end_of_log(const std::string& path, std::uintmax_t from) {
  std::ifstream file(path);
  file.seekg(static_cast<std::streamoff>(from));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > log_lines_shown) lines.erase(lines.begin());
  }
  std::string text;
  for (const auto& line : lines) text += "\n  " + line;
  return text;
}

core::result<void> prepare_socket_directory(const postgres_options& of) {
  if (of.socket_directory.size() > socket_directory_max)
    return core::error{core::errc::invalid_argument, of.socket_directory + " is too long for a Unix socket"};
  std::error_code failure;
  fs::create_directories(of.socket_directory, failure);
  if (failure) return core::from_errno("make " + of.socket_directory, failure.value());
  if (::chmod(of.socket_directory.c_str(), 0700) != 0) return core::from_errno("chmod " + of.socket_directory, errno);
  // Of a killed server. Postgres takes the lock's owner for alive as long as nobody has reaped it, or when another
  // process has its number; the directory is for this server alone, and it does not run.
  const std::string socket = of.socket_directory + "/.s.PGSQL." + std::to_string(of.port);
  for (const auto& each : {socket, socket + ".lock"})
    if (::unlink(each.c_str()) != 0 && errno != ENOENT) return core::from_errno("remove " + each, errno);
  return {};
}

constexpr std::string_view settings_mark = "\n# Written by Strata for this compute; later lines win.\n";

// The lines of a request: another one replaces what stands between these two.
constexpr std::string_view given_begin =
    "\n# Given with compute start --set or POST /configure; replaced as a whole.\n";
constexpr std::string_view given_end = "\n# The end of what was given.\n";

core::result<std::string> read_settings(const std::string& data_directory) {
  const std::string path = data_directory + "/postgresql.conf";
  std::ifstream file(path);
  std::stringstream read;
  read << file.rdbuf();
  if (!file) return core::from_errno("read " + path, errno);
  return read.str();
}

/// postgresql.conf before it was written to here.
std::string settings_of_export(const std::string& text) { return text.substr(0, text.find(settings_mark)); }

std::string given_settings(const std::vector<std::string>& settings) {
  std::string text(given_begin);
  for (const auto& line : settings) text += line + "\n";
  return text.append(given_end.substr(1));
}

/// From its first byte to behind its last one; empty: there is none. A setting does not begin with '#'.
std::pair<std::size_t, std::size_t> given_section(const std::string& text) {
  const auto begin = text.find(given_begin);
  if (begin == std::string::npos) return {0, 0};
  const auto end = text.find(given_end, begin + given_begin.size() - 1);
  if (end == std::string::npos) return {0, 0};
  return {begin, end + given_end.size()};
}

std::string our_settings(const postgres_options& of, const std::vector<std::string>& settings) {
  std::ostringstream text;
  text << settings_mark << "listen_addresses = '127.0.0.1'\n"
       << "port = " << of.port << "\n"
       << "unix_socket_directories = " << quoted(quoted(of.socket_directory, '"')) << "\n"
       << "unix_socket_permissions = 0700\n"
       << "password_encryption = 'scram-sha-256'\n"
       << "shared_buffers = '64MB'\n"
       << "archive_mode = off\n"
       << "ssl = off\n"
       << "autovacuum = on\n"
       << "logging_collector = off\n"
       << "log_destination = 'stderr'\n"
       << "cluster_name = 'strata'\n";
  // An export says 0 (storage/mapping/start_files.cpp).
  if (of.armed) text << "max_logical_replication_workers = 4\n";
  for (const auto& line : of.conf_lines) text << line << "\n";
  text << given_settings(settings);
  return text.str();
}

}  // namespace

std::string without_given_settings(const std::string& text) {
  const auto [begin, end] = given_section(text);
  return text.substr(0, begin) + text.substr(end);
}

core::result<void> write_settings(const postgres_options& of, const std::vector<std::string>& settings) {
  core::may_block("write the settings of Postgres");
  const auto write = [&of](const char* name, const std::string& text) -> core::result<void> {
    const std::string path = of.data_directory + name;
    STRATA_TRY(write_text(path, text));
    if (!of.run_as) return {};
    return give(*of.run_as, path);
  };
  STRATA_ASSIGN(const std::string before, read_settings(of.data_directory));
  STRATA_TRY(write("/postgresql.conf", settings_of_export(before) + our_settings(of, settings)));
  STRATA_TRY(write("/postgresql.auto.conf", of.user_text.auto_conf));
  std::string ident;
  for (const auto& line : of.user_text.ident_lines) ident += line + "\n";
  STRATA_TRY(write("/pg_ident.conf", ident));
  return write("/pg_hba.conf", access_rules(of));
}

core::result<std::string> settings_text(const postgres_options& of, const std::vector<std::string>& settings) {
  STRATA_ASSIGN(const std::string text, read_settings(of.data_directory));
  const auto [begin, end] = given_section(text);
  if (begin == end) return settings_of_export(text) + our_settings(of, settings);
  return text.substr(0, begin) + given_settings(settings) + text.substr(end);
}

core::result<void> replace_settings(const postgres_options& of, const std::vector<std::string>& settings) {
  STRATA_ASSIGN(const std::string text, settings_text(of, settings));
  io::replace_options how;
  if (of.run_as) how.owner = {of.run_as->user, of.run_as->group};
  return io::replace_file(of.data_directory + "/postgresql.conf", text, how);
}

std::vector<std::string> altered_settings(const std::string& data_directory) {
  std::ifstream file(data_directory + "/postgresql.auto.conf");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> all_forced(const postgres_options& of) {
  std::vector<std::string> all = of.forced;
  all.push_back("port=" + std::to_string(of.port));
  // A list: without quotes a comma would end the first of it.
  all.push_back("unix_socket_directories=" + quoted(of.socket_directory, '"'));
  if (of.armed) return all;
  const auto quiet = unarmed_settings();
  all.insert(all.end(), quiet.begin(), quiet.end());
  return all;
}

core::result<pid_t> start_postgres(const postgres_options& of) {
  core::may_block("start Postgres");
  if (const auto pid = running_postgres(of.data_directory))
    return core::error{core::errc::conflict,
                       "a Postgres is already running on " + of.data_directory + ", process " + std::to_string(*pid)};
  STRATA_TRY(prepare_socket_directory(of));
  if (of.run_as) {
    if (!of.owns_directory) STRATA_TRY(give(*of.run_as, of.data_directory));
    STRATA_TRY(give(*of.run_as, of.socket_directory));
  }
  if (::chmod(of.data_directory.c_str(), 0700) != 0) return core::from_errno("chmod " + of.data_directory, errno);
  std::error_code missing;
  std::uintmax_t log_begin = fs::file_size(of.log_file, missing);
  if (missing) log_begin = 0;
  program server{.arguments = {of.bin_directory + "/postgres", "-D", of.data_directory},
                 .directory = of.data_directory,
                 .run_as = of.run_as,
                 .environment = {{"PGDATA", of.data_directory}},
                 .signal_at_death = of.ends_with_starter ? SIGQUIT : 0,
                 .inherited = of.inherited};
  if (!of.armed) server.no_connections = block_for(of.data_directory);
  for (const auto& setting : all_forced(of)) server.arguments.insert(server.arguments.end(), {"-c", setting});
  STRATA_ASSIGN(const pid_t pid, start_detached(server, of.log_file));
  const auto deadline = std::chrono::steady_clock::now() + of.start_limit;
  for (;;) {
    const auto state = read_pid_file(of.data_directory);
    if (state && state->pid == pid && state->status == "ready") return pid;
    const bool ended = wait_for_end(pid, look_interval);
    if (!ended && std::chrono::steady_clock::now() < deadline) continue;
    if (!ended) {
      ::kill(pid, SIGQUIT);
      wait_for_end(pid, std::chrono::seconds(10));
    }
    ::waitpid(pid, nullptr, WNOHANG);
    return core::error{core::errc::io_error,
                       "start postgres on " + of.data_directory +
                           (ended ? ": it ended; its log:" : ": it was not ready in time; its log:") +
                           end_of_log(of.log_file, log_begin)};
  }
}

core::result<void> stop_postgres(const std::string& data_directory, std::chrono::milliseconds limit) {
  core::may_block("stop Postgres");
  const auto pid = running_postgres(data_directory);
  if (!pid || end_with(*pid, SIGINT, limit) || end_with(*pid, SIGQUIT, std::chrono::seconds(10))) return {};
  return core::error{core::errc::timeout, "stop postgres, process " + std::to_string(*pid) + ": it did not stop"};
}

core::result<void> abandon_postgres(const std::string& data_directory, std::chrono::milliseconds limit) {
  core::may_block("end Postgres");
  const auto pid = running_postgres(data_directory);
  const auto file = read_pid_file(data_directory);
  if (!pid || end_with(*pid, SIGQUIT, limit) || end_with(*pid, SIGKILL, std::chrono::seconds(10))) {
    kill_remaining(data_directory);
    if (file) remove_left_memory(file->memory, file->pid);
    return {};
  }
  return core::error{core::errc::timeout, "kill postgres, process " + std::to_string(*pid) + ": it did not stop"};
}

std::optional<pid_t> running_postgres(const std::string& data_directory) {
  const auto found = read_pid_file(data_directory);
  if (!found || !is_running(found->pid)) return std::nullopt;
  // After a crash the file stays and the number may be another program's: a server works in its data directory.
  std::error_code hidden;
  const fs::path works_in = fs::read_symlink("/proc/" + std::to_string(found->pid) + "/cwd", hidden);
  const fs::path here = canonical(data_directory);
  // Of another user's process only the file tells, and a copied directory has the file of the original.
  if (hidden ? canonical(found->data_directory) != here : works_in != here) return std::nullopt;
  return found->pid;
}

}  // namespace strata::host
